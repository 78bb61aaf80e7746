"""Where a run computes, how it is placed there, and what that needs."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from wan22_app.domain.catalog import (
    Attention,
    Compilation,
    Precision,
    Quantization,
    TextQuantization,
    VaePrecision,
)
from wan22_app.domain.values import Value

Offload = Literal["none", "model", "block"]
Keep = Literal["all", "one"]
CHUNK = 8192
"""Tokens that a transformer's block works on at a time; a block of fewer is as fast, with less."""
LEAST_CHUNK = 512
"""Fewer tokens save nothing more beside the hidden states, keys and values of all of them."""


class Device(Value):
    """Where a run computes. Bytes, not GiB; a CPU has no memory of its own, and no driver.

    ``capability`` is the card's compute capability, as in (8, 9); ``attention`` are the ways to
    compute it that have passed their trial there, beside torch's own, ``compilation`` what may be
    compiled.
    """

    kind: Literal["cpu", "cuda"]
    name: str
    index: int = 0
    total_bytes: int = 0
    free_bytes: int = 0
    driver: str = ""
    capability: tuple[int, int] = (0, 0)
    attention: tuple[Attention, ...] = ()
    compilation: tuple[Compilation, ...] = ()

    @property
    def torch_name(self) -> str:
        """The name that torch knows it by."""
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"


class Host(Value):
    """Main memory and cores of the machine that runs the engine."""

    total_bytes: int
    available_bytes: int
    cores: int


def _by_stage(value: object) -> object:
    """Plans of older jobs and videos have the denoising time alone, or none."""
    if value is None:
        return {}
    return {"denoising": value} if isinstance(value, int | float) else value


Seconds = Annotated[Mapping[str, float], BeforeValidator(_by_stage)]
"""Duration of each stage, by its name."""


class Placement(Value):
    """Where and how one run computes: what of its plan its video depends on.

    ``keep`` is what lies in memory between its turns: ``all`` of the model, or the ``one`` part at
    work, which is read from the disk each time. ``vae_precision`` is that of the decoder; pictures
    are always encoded in fp32. ``tile`` is the side of a VAE tile in pixels, ``None`` for one
    piece; ``chunk`` the tokens that the transformer works on at a time.
    """

    device: str
    precision: Precision
    vae_precision: VaePrecision = "fp32"
    quantization: Quantization = "none"
    text_quantization: TextQuantization = "none"
    attention: Attention = "native"
    compilation: Compilation = "none"
    offload: Offload
    keep: Keep = "all"
    tile: int | None
    chunk: int = CHUNK


class MemoryPlan(Placement):
    """Decided placement of one run, with what it is predicted to need.

    ``seconds`` has the stages whose duration can be told. ``calibrated``: the figures are corrected
    by what this machine's own jobs took, else they are arithmetic.
    """

    peak_vram_bytes: int
    peak_ram_bytes: int
    seconds: Seconds = Field(default_factory=dict[str, float])
    calibrated: bool = False

    @property
    def placement(self) -> Placement:
        """Without the predictions."""
        return Placement.model_validate(self.model_dump(include=set(Placement.model_fields)))

    @property
    def expected_seconds(self) -> float | None:
        """All stages that can be told, but for loading; None where none can."""
        told = [spent for stage, spent in self.seconds.items() if stage != "loading"]
        return sum(told) if told else None


class WontFit(Value):
    """No plan fits: what is short, and the cheapest change that would fit."""

    short_of: Literal["vram", "ram"]
    needed_bytes: int
    available_bytes: int
    cure: str
