"""Weights in eight bits: what kinds there are, where each works, and what it needs.

Sources: torchao's kinds and the cards that they need (its documentation), and what was tried of
each with Wan's layers (``tests/engine/test_quantized.py``).
"""

from collections.abc import Iterator
from typing import NamedTuple

from wan22_app.domain.catalog import ModelSpec, Precision, Quantization, TextQuantization
from wan22_app.domain.errors import Problem
from wan22_app.domain.plan import Device

PRECISION: Precision = "bf16"
"""The only type that quantized layers compute in: scales are kept in it, fp16 overflows, and fp32
would take back what eight bits have saved."""
SHARE = 0.505
"""Of a block's bytes in bf16 that are left: matrices are halved, scales and norms are not."""
TEXT_SHARE = 0.6
"""The same of the text encoder, whose table of 256,384 words stays as it is."""


class Kind(NamedTuple):
    """``dynamic``: activations are quantized, too, and the product is computed in eight bits.

    ``capability`` is the least compute capability of a card.
    """

    dynamic: bool = False
    on_cpu: bool = True
    capability: tuple[int, int] = (0, 0)


KINDS: dict[Quantization, Kind] = {
    "none": Kind(),
    "int8": Kind(),
    "int8-dynamic": Kind(dynamic=True, capability=(8, 0)),
    "fp8": Kind(),
    "fp8-dynamic": Kind(dynamic=True, on_cpu=False, capability=(8, 9)),
}


def type_refusals(
    kind: Quantization, text: TextQuantization, precision: Precision
) -> Iterator[Problem]:
    """Quantized weights and another type than theirs."""
    asked = {"quantization": kind, "text_quantization": text}
    for field, value in asked.items():
        if value != "none" and precision != PRECISION:
            yield Problem(
                code="quantization_precision",
                what=f"Quantized weights compute in {PRECISION}, not in {precision}.",
                cure=f"Set the precision to {PRECISION}, or quantization to none.",
                field=field,
            )
            return


def packed_refusals(spec: ModelSpec, kind: Quantization) -> Iterator[Problem]:
    """A GGUF file brings its own few bits."""
    if spec.packed and kind != "none":
        yield Problem(
            code="already_packed",
            what=f"{spec.name} is packed in {spec.packed} already.",
            cure="Set quantization to none, or choose the model that is not packed.",
            field="quantization",
        )


def device_refusal(kind: Quantization, device: Device) -> Problem | None:
    """Why this machine cannot compute with such weights; None where it can."""
    needed = KINDS[kind]
    if device.kind == "cpu" and needed.on_cpu:
        return None
    if device.kind == "cuda" and device.capability >= needed.capability:
        return None
    least = ".".join(map(str, needed.capability))
    has = ".".join(map(str, device.capability))
    card = device.name if device.kind == "cpu" else f"{device.name}, compute capability {has}"
    return Problem(
        code="quantization_device",
        what=f"Quantization {kind} needs a card of compute capability {least} or higher.",
        cause=f"This is {card}.",
        cure="Choose int8: it works everywhere.",
        field="quantization",
    )
