"""Plans corrected by what this machine's own jobs took."""

from collections.abc import Sequence
from typing import NamedTuple

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.effort import effort
from wan22_app.domain.events import Done, Stage
from wan22_app.domain.footprint import foresee
from wan22_app.domain.generation import GenerationRequest, geometry
from wan22_app.domain.plan import Device, MemoryPlan
from wan22_app.domain.values import Value

MARGIN = 1.03
"""On a measured peak: another run of the same job takes a little more or less."""
HEAP_BYTES = 150_000_000
"""That much more or less the heap of the same process held after another run (five runs of a demo
job: 743 to 842 MB). Beside real weights it is nothing."""


class Setup(NamedTuple):
    """What two runs of a model must share for one to tell about the other."""

    precision: str
    vae_precision: str
    offload: str
    keep: str
    pieces: str
    given: str

    @classmethod
    def of(cls, request: GenerationRequest, plan: MemoryPlan) -> "Setup":
        """Of a run with this plan."""
        pieces = "whole" if plan.tile is None else "tiled"
        given = "text" if request.image is None else "image"
        return cls(plan.precision, plan.vae_precision, plan.offload, plan.keep, pieces, given)

    def __str__(self) -> str:
        return "/".join(self)


class Measured(Value):
    """What a job took. Peaks are kept with what arithmetic had said, in bytes.

    ``software`` names the driver and the version of the app: with another one all may differ.
    ``rates`` are seconds of each stage, over its effort where it has one.
    """

    model: str
    device: str
    software: str
    setup: str
    tokens: int
    tile: int | None
    chunk: int
    foreseen_vram: int
    foreseen_ram: int
    peak_vram: int
    peak_ram: int
    rates: dict[str, float]


def measure(
    spec: ModelSpec,
    request: GenerationRequest,
    plan: MemoryPlan,
    device: Device,
    done: Done,
    software: str,
) -> Measured:
    """What a complete run teaches."""
    tiled = request.model_copy(update={"tile": plan.tile or "auto", "chunk": plan.chunk})
    arithmetic = foresee(spec, tiled, device, plan.offload, plan.keep)
    efforts = effort(spec, request)
    return Measured(
        model=spec.key,
        device=device.name,
        software=software,
        setup=str(Setup.of(request, plan)),
        tokens=_tokens(spec, request),
        tile=plan.tile,
        chunk=plan.chunk,
        foreseen_vram=arithmetic.peak_vram_bytes,
        foreseen_ram=arithmetic.peak_ram_bytes,
        peak_vram=done.peak_vram_bytes,
        peak_ram=done.peak_ram_bytes,
        rates={name: spent / efforts.get(Stage(name), 1) for name, spent in done.seconds.items()},
    )


def corrected(
    spec: ModelSpec, request: GenerationRequest, plan: MemoryPlan, learned: Sequence[Measured]
) -> MemoryPlan:
    """The plan with the machine's own figures, where it has made something in this way before.

    Of the same size the run itself counts; of others the one that took most for what was foreseen,
    so that no prediction is too low only because the sizes tried before were kinder.
    """
    alike = [known for known in learned if known.setup == str(Setup.of(request, plan))]
    if not alike:
        return plan
    tokens = _tokens(spec, request)
    size = (tokens, plan.tile, plan.chunk)
    same = [known for known in alike if (known.tokens, known.tile, known.chunk) == size]
    nearest = min(alike, key=lambda known: abs(known.tokens - tokens))
    efforts = effort(spec, request)
    return plan.model_copy(
        update={
            "peak_vram_bytes": _scaled(
                plan.peak_vram_bytes, [(it.peak_vram, it.foreseen_vram) for it in same or alike]
            ),
            "peak_ram_bytes": HEAP_BYTES
            + _scaled(
                plan.peak_ram_bytes, [(it.peak_ram, it.foreseen_ram) for it in same or alike]
            ),
            "seconds": {
                name: rate * efforts.get(Stage(name), 1) for name, rate in nearest.rates.items()
            },
            "calibrated": True,
        }
    )


def _scaled(foreseen: int, known: Sequence[tuple[int, int]]) -> int:
    """By the greatest ratio of what was taken to what had been foreseen."""
    ratios = [taken / before for taken, before in known if before]
    return int(foreseen * max(ratios) * MARGIN) if ratios else foreseen


def _tokens(spec: ModelSpec, request: GenerationRequest) -> int:
    made = geometry(spec, request)
    return spec.tokens(made.width, made.height, made.frames)
