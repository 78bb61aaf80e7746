"""What the machine's memory, processors and disk are doing, now and over the last hour."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from wan22_app.domain.errors import Problem
from wan22_app.domain.values import Value

HOUR = timedelta(hours=1)
SLOT = timedelta(seconds=30)
"""Width of a point of the plots: 120 of them make the hour."""
STALE_AFTER = 3
"""Samples that may be missing before a figure is called old."""

GB = 1000**3
LOW_RAM_SHARE = 0.06
LOW_RAM = int(1.5 * GB)
LOW_VRAM_SHARE = 0.02
LOW_DISK = 10 * GB


class Figures(Value):
    """One sample. Bytes, percent of all cores or of the card; None where the machine won't tell."""

    at: datetime
    cpu_percent: float
    ram_used: int
    ram_total: int
    gpu_percent: float | None = None
    vram_used: int | None = None
    vram_total: int | None = None
    disk_free: int
    disk_total: int


class Point(Value):
    """A slot of the plots: the mean of the loads, the worst of the memories.

    ``minutes`` is negative: the slot's distance from now. A slot without a sample has no point.
    """

    minutes: float
    cpu: float
    ram: int
    gpu: float | None
    vram: int | None
    disk: int


def hour(samples: Sequence[Figures], now: datetime) -> list[Point]:
    """The last hour in slots of half a minute, oldest first; ``samples`` in any order.

    Slots lie at whole half minutes of the clock, so that a finished one never changes.
    """
    slots: dict[int, list[Figures]] = {}
    for sample in samples:
        if now - HOUR < sample.at <= now:
            slots.setdefault(_slot(sample.at), []).append(sample)
    current = _slot(now)
    return [_point(slot - current, slots[slot]) for slot in sorted(slots)]


def _slot(moment: datetime) -> int:
    return int(moment.timestamp() // SLOT.total_seconds())


def _point(distance: int, samples: Sequence[Figures]) -> Point:
    loads = [s.gpu_percent for s in samples if s.gpu_percent is not None]
    memories = [s.vram_used for s in samples if s.vram_used is not None]
    return Point(
        minutes=distance * SLOT.total_seconds() / 60,
        cpu=_mean([sample.cpu_percent for sample in samples]),
        ram=max(sample.ram_used for sample in samples),
        gpu=_mean(loads) if loads else None,
        vram=max(memories, default=None),
        disk=min(sample.disk_free for sample in samples),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def ram_floor(figures: Figures) -> float:
    """Free bytes of main memory below which there is a warning."""
    return min(LOW_RAM, LOW_RAM_SHARE * figures.ram_total)


def vram_floor(figures: Figures) -> float:
    """Free bytes of the card below which there is a warning; 0 where it tells no memory."""
    return LOW_VRAM_SHARE * (figures.vram_total or 0)


def warnings(figures: Figures) -> list[Problem]:
    """What will run out soon, with what to do; the worst first."""
    found = [_disk(figures), _ram(figures), _vram(figures)]
    return [problem for problem in found if problem is not None]


def _disk(figures: Figures) -> Problem | None:
    if figures.disk_free >= LOW_DISK:
        return None
    return Problem(
        code="disk_low",
        what=f"The disk of the videos has {figures.disk_free / GB:.1f} GB left.",
        cause="At 1 GB no job starts any more; none is lost.",
        cure="Empty the bin on Outputs, or make room on the disk.",
    )


def _ram(figures: Figures) -> Problem | None:
    free = figures.ram_total - figures.ram_used
    if free >= ram_floor(figures):
        return None
    return Problem(
        code="ram_low",
        what=f"Main memory is nearly full: {_left(free, figures.ram_total)}.",
        cause="When it is full, the system ends programs, the model's first.",
        cure="Close other programs, or choose a smaller size or fewer frames.",
    )


def _vram(figures: Figures) -> Problem | None:
    if figures.vram_used is None or not figures.vram_total:
        return None
    free = figures.vram_total - figures.vram_used
    if free >= vram_floor(figures):
        return None
    return Problem(
        code="vram_low",
        what=f"The card's memory is nearly full: {_left(free, figures.vram_total)}.",
        cause="A job that needs more than it has ends with an error, and so may other programs.",
        cure="Close other programs that use the card, or choose more offload or smaller tiles.",
    )


def _left(free: int, total: int) -> str:
    return f"{max(free, 0) / GB:.1f} of {total / GB:.0f} GB left"
