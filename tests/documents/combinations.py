"""The table of what works with quantized weights, from the rules that decide about a job."""

from itertools import product
from pathlib import Path
from typing import get_args

from wan22_app.domain.catalog import T2V_A14B, ModelSpec, Precision, Quantization
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import Device, Keep, Offload
from wan22_app.domain.quantization import device_refusal

MACHINES = {
    "processor": Device(kind="cpu", name="a processor"),
    "Turing": Device(kind="cuda", name="a Turing card", capability=(7, 5)),
    "Ampere": Device(kind="cuda", name="an Ampere card", capability=(8, 6)),
    "Ada": Device(kind="cuda", name="an Ada card", capability=(8, 9)),
    "Hopper": Device(kind="cuda", name="a Hopper card", capability=(9, 0)),
    "Blackwell": Device(kind="cuda", name="a Blackwell card", capability=(12, 0)),
}
PACKED = T2V_A14B.model_copy(update={"packed": "Q8_0"})
ROWS: dict[str, tuple[ModelSpec, dict[str, object]]] = {
    **{kind: (T2V_A14B, {"quantization": kind}) for kind in get_args(Quantization)[1:]},
    "text encoder in int8": (T2V_A14B, {"text_quantization": "int8"}),
    "GGUF": (PACKED, {}),
    "GGUF, text encoder in int8": (PACKED, {"text_quantization": "int8"}),
    **{f"GGUF and {kind}": (PACKED, {"quantization": kind}) for kind in get_args(Quantization)[1:]},
}
QUANTIZED, GGUF = "tests/engine/test_quantized.py::", "tests/engine/test_gguf.py::"
DRAWN = "tests/semantics/test_prompts.py::"
SHOWN = {
    "int8, int8-dynamic, fp8 near bf16, all layouts": f"{QUANTIZED}test_it_comes_near_to_bf16",
    "… block offload, one part in memory, both: equal to the bit":
        f"{QUANTIZED}test_where_the_weights_lie_changes_no_bit",
    "… with LoRAs, wherever they lie":
        f"{QUANTIZED}test_loras_work_on_it_and_leave_without_a_trace",
    "… and the text encoder in int8: it draws what prompts say":
        f"{DRAWN}test_quantized_it_draws_what_the_prompts_say",
    "text encoder in int8, wherever it lies: equal to the bit":
        f"{QUANTIZED}test_where_a_quantized_text_encoder_lies_changes_no_bit",
    "GGUF as near as its bits allow, all layouts":
        f"{GGUF}test_it_comes_as_near_as_its_bits_allow",
    "… block offload, one part in memory: equal to the bit":
        f"{GGUF}test_where_the_weights_lie_changes_no_bit",
    "… with LoRAs": f"{GGUF}test_loras_work_on_it_and_leave_without_a_trace",
    "… draws what prompts say": f"{DRAWN}test_from_a_gguf_file_it_draws_what_the_prompts_say",
    "what is refused is refused before a job is queued":
        "tests/services/test_submission.py::"
        "test_what_is_refused_is_refused_before_and_at_submission",
}  # fmt: skip
OFFLOADS, KEEPS = get_args(Offload), get_args(Keep)
LORAS = ((), ({"file": "x.safetensors"},))
PAGE = """# Quantization

Weights in eight bits take half the memory of bf16. It is lossy, and the form and the recipe say so.
Quantized once, a part is kept in `data/quantized` and read from there; a copy that nobody
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
compares it with them. *yes*: with every offload, with all or one part of the model kept in memory,
and with or without LoRAs; the table would name them if a rule made a difference.

{table}
What is shown on a processor, with the demo checkpoints:

{shown}
A processor has no place that *model* offload could move to, and does not compute fp8-dynamic: for
those, and for anything at all on a card, none of which was at hand, run for each kind

```bash
wan22 generate "a red fox in the snow" --model ti2v-5b --steps 4 \\
  --quantization fp8-dynamic --offload model
```

With block offload, quantized weights come to the card without a stream of their own, so computing
waits for them: with streams, diffusers' offload of quantized tensors has been reported to break
(its issues 13281 and 14112).

Types: {types}
"""


def quantization_page(_folder: Path) -> str:
    """Every kind on every kind of machine."""
    lines = [
        f"| weights | {' | '.join(MACHINES)} |",
        f"| --- | {' | '.join('---' for _ in MACHINES)} |",
    ]
    for name, (spec, fields) in ROWS.items():
        cells = [_cell(spec, fields, device) for device in MACHINES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    shown = ["| combination | shown by |", "| --- | --- |"]
    shown += [f"| {what} | `{test}` |" for what, test in SHOWN.items()]
    return PAGE.format(table="\n".join(lines) + "\n", shown="\n".join(shown) + "\n", types=_types())


def _cell(spec: ModelSpec, fields: dict[str, object], device: Device) -> str:
    """One word if placement and LoRAs make no difference, else each combination with its own."""
    answers = {
        f"{offload}, {keep}, {'LoRAs' if loras else 'no LoRA'}": _answer(
            spec, {**fields, "offload": offload, "keep": keep, "loras": loras}, device
        )
        for offload, keep, loras in product(OFFLOADS, KEEPS, LORAS)
    }
    if len(set(answers.values())) == 1:
        return next(iter(answers.values()))
    return "; ".join(f"{name}: {answer}" for name, answer in answers.items())


def _answer(spec: ModelSpec, asked: dict[str, object], device: Device) -> str:
    try:
        request = GenerationRequest.build(spec, {"prompt": "x", **asked}, seed=0)
    except InvalidRequest:
        return "refused"
    return "yes" if device_refusal(request.quantization, device) is None else "refused"


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
