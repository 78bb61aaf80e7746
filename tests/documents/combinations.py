"""The table of what works with quantized weights, from the rules that decide about a job."""

from itertools import product
from pathlib import Path
from typing import get_args

from wan22_app.domain.catalog import T2V_A14B, Precision, Quantization
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import Device
from wan22_app.domain.quantization import device_refusal

MACHINES = {
    "processor": Device(kind="cpu", name="a processor"),
    "Turing": Device(kind="cuda", name="a Turing card", capability=(7, 5)),
    "Ampere": Device(kind="cuda", name="an Ampere card", capability=(8, 6)),
    "Ada": Device(kind="cuda", name="an Ada card", capability=(8, 9)),
    "Hopper": Device(kind="cuda", name="a Hopper card", capability=(9, 0)),
    "Blackwell": Device(kind="cuda", name="a Blackwell card", capability=(12, 0)),
}
LORAS = {"no LoRA": (), "LoRAs": ({"file": "x.safetensors"},)}
PAGE = """# Quantization

Weights in eight bits take half the memory of bf16. It is lossy, and the form and the recipe say so.
Quantized once, a transformer is kept in `data/quantized` and read from there; a copy that nobody
has used for 30 days goes, and none is written where less than 10 GB of the disk would be left.

| kind | weights | computed in | what it is for |
| --- | --- | --- | --- |
| int8 | int8, a scale for each row | bf16 | main memory: half the weights; works everywhere |
| int8-dynamic | the same | int8 | speed where bf16 is the limit |
| fp8 | fp8 (e4m3) | bf16 | as int8, lossier |
| fp8-dynamic | the same | fp8 | speed on cards that compute fp8 at full rate |

What is in no block keeps its type: patch embedding, time and text embedding, last projection. The
text encoder has a choice of its own, `int8`; its table of words stays as it is.

## What works with what

Built by `python -m tests.documents` from the rules that judge a job before it is queued; a test
compares it with them. *yes* is shown on a processor by `tests/engine/test_quantized.py`, for each
kind that computes there: with block offload and with one part in memory the latents are equal to
the bit, and LoRAs work and leave without a trace. No card was at hand: none of it was tried on one.

{table}
With block offload, quantized weights come to the card without a stream of their own, so computing
waits for them: with streams, diffusers' offload of quantized tensors has been reported to break
(its issues 13281 and 14112).

Types: {types}
"""


def quantization_page(_folder: Path) -> str:
    """Every kind with every placement and LoRAs on every kind of machine."""
    lines = [
        f"| kind | offload | LoRAs | {' | '.join(MACHINES)} |",
        f"| --- | --- | --- | {' | '.join('---' for _ in MACHINES)} |",
    ]
    for kind, offload, (name, loras) in product(
        get_args(Quantization)[1:], ("none", "model", "block"), LORAS.items()
    ):
        cells = [_cell(kind, offload, loras, device) for device in MACHINES.values()]
        lines.append(f"| {kind} | {offload} | {name} | {' | '.join(cells)} |")
    return PAGE.format(table="\n".join(lines) + "\n", types=_types())


def _cell(kind: Quantization, offload: str, loras: tuple[object, ...], device: Device) -> str:
    asked = {"quantization": kind, "offload": offload, "loras": loras}
    GenerationRequest.build(T2V_A14B, {"prompt": "x", **asked}, seed=0)
    refusal = device_refusal(kind, device)
    return "yes" if refusal is None else "refused"


def _types() -> str:
    """Which precisions go with quantized weights, and what is said of the others."""
    said: dict[str, str] = {}
    for precision in get_args(Precision):
        try:
            asked = {"prompt": "x", "quantization": "int8", "precision": precision}
            GenerationRequest.build(T2V_A14B, asked, seed=0)
            said[precision] = "yes"
        except InvalidRequest as error:
            said[precision] = f"refused: “{error.problems[0].what}”"
    return "; ".join(f"{precision} {answer}" for precision, answer in said.items())
