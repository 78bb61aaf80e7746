"""Compiled regions: what stands between a block's matrices, each as one kernel."""

from wan22_app.domain.catalog import Compilation
from wan22_app.domain.errors import Problem
from wan22_app.domain.plan import Device

NOTHING: Compilation = "none"
MOST_ERROR = 0.01
"""Distance from fp32's result over its length in bf16: what is further off is broken."""


def compilation_refusal(name: Compilation, device: Device) -> Problem | None:
    """Why this machine does not compile; None where it may."""
    if name == NOTHING or name in device.compilation:
        return None
    return Problem(
        code="compilation_untried",
        what=f"Compiled regions have not passed their trial on {device.name}.",
        cause="They are tried with the first job on a card, and need the package triton."
        if device.kind == "cuda"
        else "They are for cards.",
        cure="Set compilation to none; wan22 doctor says what was found.",
        field="compilation",
    )
