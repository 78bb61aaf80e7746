"""Plans corrected by what this machine's own jobs took."""

from collections.abc import Sequence
from typing import NamedTuple

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.effort import effort, tokens
from wan22_app.domain.events import Done, Stage
from wan22_app.domain.footprint import CONTEXT_BYTES, FRAGMENTATION, foresee
from wan22_app.domain.generation import GenerationRequest, geometry
from wan22_app.domain.plan import Device, MemoryPlan
from wan22_app.domain.values import Value

MARGIN = 1.03
"""On a measured peak: another run of the same job takes a little more or less."""
HEAP_BYTES = 150_000_000
"""That much more or less the heap of the same process held after another run (five runs of a demo
job: 743 to 842 MB). Beside real weights it is nothing."""


def setup_of(request: GenerationRequest, plan: MemoryPlan) -> str:
    """What two runs of a model must share for one to tell about the other."""
    pieces = "whole" if plan.tile is None else "tiled"
    given = "image" if request.begins_with_pictures else "text"
    loras = f"+{len(request.loras)}" if request.loras else ""
    types = (plan.precision, plan.vae_precision, plan.quantization, plan.text_quantization,
             plan.attention, plan.compilation)  # fmt: skip
    other = (kind for kind in types if kind not in ("none", "native"))
    return "/".join((*other, plan.offload, plan.keep, pieces, given + loras))


class Measured(Value):
    """What a job took, in bytes, beside what arithmetic had said and what there was.

    ``software`` names the versions of driver, app and libraries: with others all may differ.
    ``peak_vram`` is what was in use on the card, with the same slack that arithmetic allows for:
    what the allocator held beyond that it would have given back. ``rates`` are seconds of each
    stage, over its effort where it has one.
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
    there_vram: int
    there_ram: int
    rates: dict[str, float]

    @property
    def size(self) -> tuple[int, int | None, int]:
        """What two runs of a setup must share to take the same."""
        return self.tokens, self.tile, self.chunk

    def after(self, known: Sequence["Measured"]) -> "Measured":
        """With what an equal run showed before.

        The larger peaks count: a warm engine does not load, and loading may take most.
        """
        equal = [each for each in known if (each.setup, each.size) == (self.setup, self.size)]
        if not equal:
            return self
        return self.model_copy(
            update={
                "peak_vram": max(self.peak_vram, *(each.peak_vram for each in equal)),
                "peak_ram": max(self.peak_ram, *(each.peak_ram for each in equal)),
                "rates": {**equal[0].rates, **self.rates},
            }
        )


def measure(
    spec: ModelSpec,
    request: GenerationRequest,
    plan: MemoryPlan,
    device: Device,
    ram_bytes: int,
    done: Done,
    software: str,
) -> Measured:
    """What a complete run teaches; ``ram_bytes`` is what it might take of main memory."""
    made = geometry(spec, request)
    side = plan.tile or max(made.width, made.height)
    same = request.model_copy(update={"tile": side, "chunk": plan.chunk})
    arithmetic = foresee(spec, same, device, plan.offload, plan.keep)
    efforts = effort(spec, request)
    used = done.peak_allocated_bytes
    return Measured(
        model=spec.key,
        device=device.name,
        software=software,
        setup=setup_of(request, plan),
        tokens=tokens(spec, request),
        tile=plan.tile,
        chunk=plan.chunk,
        foreseen_vram=arithmetic.peak_vram_bytes,
        foreseen_ram=arithmetic.peak_ram_bytes,
        peak_vram=CONTEXT_BYTES + int(FRAGMENTATION * used) if used else 0,
        peak_ram=done.peak_ram_bytes,
        there_vram=device.total_bytes,
        there_ram=ram_bytes,
        rates={name: spent / efforts.get(Stage(name), 1) for name, spent in done.seconds.items()},
    )


def corrected(
    spec: ModelSpec, request: GenerationRequest, plan: MemoryPlan, learned: Sequence[Measured]
) -> MemoryPlan:
    """The plan with the machine's own figures, where it has made something in this way before.

    Of the same size the run itself counts; of others the one that took most for what was foreseen,
    so that no prediction is too low only because the sizes tried before were kinder.
    """
    alike = [known for known in learned if known.setup == setup_of(request, plan)]
    if not alike:
        return plan
    length = tokens(spec, request)
    size = (length, plan.tile, plan.chunk)
    same = [known for known in alike if known.size == size]
    nearest = min(alike, key=lambda known: abs(known.tokens - length))
    efforts = effort(spec, request)
    vram = [Took(it.foreseen_vram, it.peak_vram, it.there_vram) for it in same or alike]
    ram = [Took(it.foreseen_ram, it.peak_ram, it.there_ram) for it in same or alike]
    return plan.model_copy(
        update={
            "peak_vram_bytes": _scaled(plan.peak_vram_bytes, vram, 0, same=bool(same)),
            "peak_ram_bytes": _scaled(plan.peak_ram_bytes, ram, HEAP_BYTES, same=bool(same)),
            "seconds": {
                name: rate * efforts.get(Stage(name), 1) for name, rate in nearest.rates.items()
            },
            "calibrated": True,
        }
    )


class Took(NamedTuple):
    """Bytes of one memory: foreseen for a run, taken by it, and what there was."""

    foreseen: int
    taken: int
    there: int


def _scaled(foreseen: int, known: Sequence[Took], slack: int, *, same: bool) -> int:
    """By the greatest ratio of what was taken to what had been foreseen, with a margin.

    The margin alone must not refuse what has just fitted.
    """
    ratios = [each.taken / each.foreseen for each in known if each.foreseen]
    if not ratios:
        return foreseen
    found = int(foreseen * max(ratios) * MARGIN) + slack
    fitted = [each.there for each in known if each.taken <= each.there]
    return min(found, max(fitted)) if same and fitted else found
