"""Ways to compute attention: which there are, and what a card may use."""

from collections.abc import Mapping
from typing import NamedTuple

from wan22_app.domain.catalog import Attention, Precision
from wan22_app.domain.errors import Problem
from wan22_app.domain.plan import Device

NATIVE: Attention = "native"
"""torch's own, which every machine has; what a model's makers used."""


class Backend(NamedTuple):
    """``lossy``: computes in eight bits. ``package`` is what has to be installed for it."""

    lossy: bool = False
    package: str = ""


BACKENDS: Mapping[Attention, Backend] = {
    NATIVE: Backend(),
    "cudnn": Backend(),
    "flash": Backend(package="flash_attn"),
    "flash3": Backend(package="flash_attn_interface"),
    "xformers": Backend(package="xformers"),
    "sage": Backend(lossy=True, package="sageattention"),
}
MOST_ERROR = {False: 0.01, True: 0.08}
"""Distance from fp32's result over its length, for exact and for lossy ways: what is further off is
broken, not rounded."""


def attention_refusal(name: Attention, precision: Precision, device: Device) -> Problem | None:
    """Why this machine does not compute attention so; None where it does."""
    if name == NATIVE:
        return None
    if precision == "fp32":
        return Problem(
            code="attention_precision",
            what=f"Attention {name} computes in bf16 or fp16, not in fp32.",
            cure="Set the precision to bf16, or attention to native.",
            field="attention",
        )
    if name in device.attention:
        return None
    package = BACKENDS[name].package
    return Problem(
        code="attention_untried",
        what=f"Attention {name} has not passed its trial on {device.name}.",
        cause=f"It needs the package {package}, and a first job to be tried with." if package
        else "It is tried with the first job on a card.",
        cure="Choose native, which works everywhere; wan22 doctor says what was found.",
        field="attention",
    )  # fmt: skip


def eight_bit(device: Device) -> Attention:
    """The lossy way that this card may use; torch's own where there is none."""
    lossy: list[Attention] = [name for name in device.attention if BACKENDS[name].lossy]
    return lossy[0] if lossy else NATIVE
