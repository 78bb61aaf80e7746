"""How a request fits into memory: the fastest placement that does, and why the others do not."""

from collections.abc import Iterator, Sequence
from typing import Literal

from wan22_app.domain.catalog import GB, ModelSpec
from wan22_app.domain.footprint import foresee
from wan22_app.domain.generation import ChunkChoice, GenerationRequest
from wan22_app.domain.measured import Measured, corrected
from wan22_app.domain.pace import duration
from wan22_app.domain.plan import LEAST_CHUNK, Device, Host, Keep, MemoryPlan, Offload, WontFit
from wan22_app.domain.values import Value

RESERVE_BYTES = 2 * GB
RESERVE_SHARE = 0.15
"""Of main memory, whichever is less: what the system, the web and the dispatcher need. A run that
took it would swap, or be killed."""


class Considered(Value):
    """One way to place a run, and what speaks against it: ``vram``, ``ram`` or ``time``.

    Empty for the plan that is taken. ``available_bytes`` is of the memory that is short.
    """

    plan: MemoryPlan
    against: Literal["", "vram", "ram", "time"]
    needed_bytes: int = 0
    available_bytes: int = 0


def plan_memory(
    spec: ModelSpec,
    request: GenerationRequest,
    device: Device,
    host: Host,
    learned: Sequence[Measured] = (),
) -> MemoryPlan | WontFit:
    """The fastest plan that fits, or what is missing. Pure and total.

    ``learned`` is what runs of this model have taken on this machine.
    """
    every = consider(spec, request, device, host, learned)
    for each in every:
        if not each.against:
            return each.plan
    # What fits on the card is nearer to running than what does not.
    short_of = "ram" if any(each.against == "ram" for each in every) else "vram"
    needed = [each.needed_bytes for each in every if each.against == short_of]
    return WontFit(
        short_of=short_of,
        needed_bytes=min(needed),
        available_bytes=ram_budget(host) if short_of == "ram" else device.total_bytes,
        cure=_ram_cure(request) if short_of == "ram" else _vram_cure(spec, request),
    )


def consider(
    spec: ModelSpec,
    request: GenerationRequest,
    device: Device,
    host: Host,
    learned: Sequence[Measured] = (),
) -> Sequence[Considered]:
    """All ways that the request allows, fastest first.

    The request's choices bind: a chosen offload is not changed, ``auto`` stands for none, model and
    block. Parts are read from the disk in their turn only where main memory is too small for all of
    them, since each job then waits for the disk. Which way is faster is arithmetic alone: what was
    measured of one way cannot be set beside what was guessed of another.
    """
    ways: list[tuple[bool, float, MemoryPlan]] = []
    for keep, offload, chunk in _ways(request, device):
        wish = request.model_copy(update={"chunk": chunk})
        plan = foresee(spec, wish, device, offload, keep)
        known = corrected(spec, wish, plan, learned)
        ways.append((keep == "one", duration(spec, wish, plan, device), known))
    found: list[Considered] = []
    taken = False
    for *_, plan in sorted(ways, key=lambda way: way[:2]):
        each = _judged(plan, device, host, taken=taken)
        taken = taken or not each.against
        found.append(each)
    return found


def leanest(spec: ModelSpec, request: GenerationRequest, device: Device) -> MemoryPlan:
    """The plan that takes least, whatever it costs in time."""
    return foresee(spec, request.model_copy(update={"chunk": LEAST_CHUNK}), device, "block", "one")


def ram_budget(host: Host) -> int:
    """Bytes of main memory that a run may take."""
    return host.total_bytes - int(min(RESERVE_BYTES, RESERVE_SHARE * host.total_bytes))


def _judged(plan: MemoryPlan, device: Device, host: Host, *, taken: bool) -> Considered:
    limits: tuple[tuple[Literal["vram", "ram"], int, int], ...] = (
        ("vram", plan.peak_vram_bytes, device.total_bytes),
        ("ram", plan.peak_ram_bytes, ram_budget(host)),
    )
    for against, needed, available in limits:
        if needed > available:
            return Considered(
                plan=plan, against=against, needed_bytes=needed, available_bytes=available
            )
    return Considered(plan=plan, against="time" if taken else "")


def _ways(
    request: GenerationRequest, device: Device
) -> Iterator[tuple[Keep, Offload, ChunkChoice]]:
    """Short chunks are worth their time only where nothing else is left to give."""
    for keep in _keeps(request):
        for offload in _offloads(request, device):
            yield keep, offload, request.chunk
            if offload == "block" and request.chunk == "auto":
                yield keep, offload, LEAST_CHUNK


def _keeps(request: GenerationRequest) -> tuple[Keep, ...]:
    return ("all", "one") if request.keep == "auto" else (request.keep,)


def _offloads(request: GenerationRequest, device: Device) -> tuple[Offload, ...]:
    if device.kind == "cpu":
        # Nowhere to offload to: every choice is the same plan.
        return ("none",)
    return ("none", "model", "block") if request.offload == "auto" else (request.offload,)


def _ram_cure(request: GenerationRequest) -> str:
    if request.keep == "all":
        return "Let parts of the model be read in their turn."
    return "Choose TI2V-5B or a machine with more main memory."


def _vram_cure(spec: ModelSpec, request: GenerationRequest) -> str:
    if request.offload in ("none", "model"):
        return "Set offload to automatic."
    if request.tile == "auto" or request.tile > 128:
        return "Choose a smaller size, fewer frames, or a VAE tile size of 128."
    return f"Choose a smaller size or fewer frames than {request.frames}."
