"""The machine's figures as a page shows them: texts for now, points for the last hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wan22_app.domain.figures import (
    GB,
    LOW_DISK,
    Figures,
    hour,
    ram_floor,
    vram_floor,
    warnings,
)
from wan22_app.domain.job import Job
from wan22_app.web import words

Row = dict[str, float | None]


@dataclass(frozen=True)
class Reading:
    """One figure now: its text, a percentage for the bar, and whether the machine tells it."""

    text: str = ""
    percent: int = 0
    told: bool = True


@dataclass(frozen=True)
class FiguresView:
    """All figures now, totals and lines of warning in GB.

    ``old``: nobody has sampled for a while.
    """

    cpu: Reading = field(default_factory=Reading)
    ram: Reading = field(default_factory=Reading)
    gpu: Reading = field(default_factory=Reading)
    vram: Reading = field(default_factory=Reading)
    disk: Reading = field(default_factory=Reading)
    ram_total: float = 1.0
    ram_line: float = 1.0
    vram_total: float = 1.0
    vram_line: float = 1.0
    disk_total: float = 1.0
    disk_line: float = 0.0
    known: bool = False
    old: bool = False


@dataclass(frozen=True)
class WarningView:
    """What will run out, and what to do."""

    code: str = ""
    what: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Span:
    """When a job ran, in minutes from now (negative)."""

    begin: float = 0.0
    end: float = 0.0


def figures_view(figures: Figures | None, *, old: bool) -> FiguresView:
    """The newest sample in words; what the card does not tell is said."""
    if figures is None:
        return FiguresView()
    return FiguresView(
        cpu=_load(figures.cpu_percent),
        ram=_share(figures.ram_used, figures.ram_total),
        gpu=_load(figures.gpu_percent),
        vram=_share(figures.vram_used, figures.vram_total),
        disk=_free(figures.disk_free, figures.disk_total),
        ram_total=_gb(figures.ram_total),
        ram_line=_gb(figures.ram_total - ram_floor(figures)),
        vram_total=_gb(figures.vram_total or GB),
        vram_line=_gb((figures.vram_total or GB) - vram_floor(figures)),
        disk_total=_gb(figures.disk_total),
        disk_line=_gb(LOW_DISK),
        known=True,
        old=old,
    )


def warning_views(figures: Figures | None) -> list[WarningView]:
    """Warnings of the newest sample."""
    found = warnings(figures) if figures is not None else []
    return [
        WarningView(problem.code, problem.what, f"{problem.cause} {problem.cure}".strip())
        for problem in found
    ]


def rows(samples: Sequence[Figures], now: datetime) -> list[Row]:
    """Points of the plots, in minutes, percent and GB; the unfinished slot is left out.

    Only finished slots: they never change, so the plots are sent twice a minute and no more.
    """
    points = [point for point in hour(samples, now) if point.minutes < 0]
    return [
        {
            "minutes": point.minutes,
            "cpu": round(point.cpu, 1),
            "ram": _gb(point.ram),
            "gpu": None if point.gpu is None else round(point.gpu, 1),
            "vram": None if point.vram is None else _gb(point.vram),
            "disk": _gb(point.disk),
        }
        for point in points
    ]


def spans(jobs: Iterable[Job], now: datetime) -> list[Span]:
    """When jobs ran within the last hour, in steps of the plots' slots."""
    found = []
    for job in jobs:
        if job.started_at is None:
            continue
        begin = _minutes(job.started_at, now)
        end = _minutes(job.finished_at or now, now)
        if end > -60:
            found.append(Span(max(begin, -60.0), end))
    return found


def _minutes(moment: datetime, now: datetime) -> float:
    """Minutes from now, on the grid of the plots; a job that has just begun still shows."""
    return round((moment - now) / timedelta(seconds=30)) / 2


def _load(percent: float | None) -> Reading:
    if percent is None:
        return Reading(words.NOT_TOLD, 0, told=False)
    return Reading(f"{percent:.0f} %", round(percent))


def _share(used: int | None, total: int | None) -> Reading:
    if used is None or not total:
        return Reading(words.NOT_TOLD, 0, told=False)
    text = words.SHARE.format(used=used / GB, total=total / GB)
    return Reading(text, round(100 * used / total))


def _free(free: int, total: int) -> Reading:
    used = 100 * (total - free) / max(total, 1)
    return Reading(words.FREE.format(free=free / GB), round(used))


def _gb(value: float) -> float:
    return round(value / GB, 2)
