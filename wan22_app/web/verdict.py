"""The verdict in words: what would happen if the form were submitted now."""

from collections.abc import Sequence
from dataclasses import dataclass

from wan22_app.domain.errors import Problem
from wan22_app.domain.generation import Geometry
from wan22_app.domain.memory import Considered
from wan22_app.domain.plan import MemoryPlan
from wan22_app.services.preferences import Price
from wan22_app.services.submission import Verdict, wont_fit_problem
from wan22_app.web import words
from wan22_app.web.views import about

NOTICEABLE = 50_000_000
"""Bytes of difference below which two plans count as equal."""


@dataclass(frozen=True)
class VerdictView:
    """``level`` is ``ok``, ``bad`` or empty while nothing is known.

    When the job would start is not in here: the queue moves while nobody types, so that comes
    with the live updates.
    """

    level: str = ""
    text: str = ""
    made: str = ""


def verdict_view(verdict: Verdict, *, pristine: bool) -> VerdictView:
    """The line above the button.

    ``pristine``: an empty prompt is no fault while nobody has typed one.
    """
    made = made_text(verdict.made)
    codes = [problem.field for problem in verdict.problems]
    if pristine and codes == ["prompt"]:
        return VerdictView("", words.SAY_SOMETHING, made)
    if verdict.problems:
        return VerdictView("bad", problems_text(verdict.problems), made)
    if verdict.wont_fit is not None:
        return VerdictView("bad", wont_fit_problem(verdict.wont_fit).sentence(), made)
    return VerdictView("ok", _fits(verdict), made)


def problems_text(problems: Sequence[Problem]) -> str:
    """What to do first: a lone problem in its own words, its field may be far up the page."""
    general = [p.sentence() for p in problems if p.field in ("", "model")]
    if not general and len(problems) == 1:
        return problems[0].sentence()
    return " ".join(general) or words.FIX_FIELDS


def without_weights(view: VerdictView, lacks: str, *, coming: bool) -> VerdictView:
    """A model that is not here: a job may wait for it only when somebody is fetching it."""
    if not coming:
        return VerdictView("bad", lacks, view.made)
    if view.level != "ok":
        return view
    return VerdictView("ok", f"{words.WEIGHTS_COMING} {view.text}", view.made)


def _fits(verdict: Verdict) -> str:
    device, plan = verdict.device, verdict.plan
    fits = words.FITS_CPU
    seconds = _seconds(verdict)
    if device.kind != "cpu" and plan is not None:
        needed, total = plan.peak_vram_bytes / 1e9, device.total_bytes / 1e9
        fits = words.FITS_CARD.format(needed=needed, total=total)
        fits = words.MEASURED.format(fits=fits) if plan.calibrated else fits
    return ", ".join(filter(None, [fits, about(seconds) if seconds else ""])) + "."


def _seconds(verdict: Verdict) -> float | None:
    """Of this very placement where it was tried, else of the model's last video, else a guess."""
    told = verdict.plan.expected_seconds if verdict.plan is not None else None
    if verdict.plan is not None and verdict.plan.calibrated:
        return told
    return verdict.seconds or told


def price_text(price: Price, now: MemoryPlan | None, *, card: bool) -> str:
    """What a choice needs, and what it saves or costs against ``now``, the plan of what is chosen.

    On a machine without a card only main memory counts.
    """
    if price.wont_fit is not None:
        needed, available = price.wont_fit.needed_bytes / 1e9, price.wont_fit.available_bytes / 1e9
        return words.NO_PRICE.format(needed=needed, available=available)
    if price.plan is None or price.field == "may_reduce":
        return ""
    if not card and price.field == "offload":
        return words.NO_CARD_NO_PRICE
    text = words.PRICE_CARD if card else words.PRICE_CPU
    needs = text.format(vram=price.plan.peak_vram_bytes / 1e9, ram=price.plan.peak_ram_bytes / 1e9)
    seconds = price.plan.expected_seconds
    return (
        needs
        + (words.PRICE_TIME.format(time=about(seconds)) if seconds else "")
        + _change(price.plan, now)
    )


def _change(plan: MemoryPlan, now: MemoryPlan | None) -> str:
    """How much less or more memory than what is chosen; empty when that is little."""
    if now is None:
        return ""
    change = plan.peak_vram_bytes - now.peak_vram_bytes or plan.peak_ram_bytes - now.peak_ram_bytes
    if abs(change) < NOTICEABLE:
        return ""
    return (words.SAVES if change < 0 else words.COSTS).format(amount=abs(change) / 1e9)


def way_text(way: Considered, *, card: bool) -> str:
    """What a placement needs, and why it is or is not taken."""
    text = words.PRICE_CARD if card else words.PRICE_CPU
    needs = text.format(vram=way.plan.peak_vram_bytes / 1e9, ram=way.plan.peak_ram_bytes / 1e9)
    seconds = way.plan.expected_seconds
    parts = [needs, about(seconds) if seconds else "", words.CALIBRATED[way.plan.calibrated]]
    verdict = words.WAYS[way.against].format(
        needed=way.needed_bytes / 1e9, available=way.available_bytes / 1e9
    )
    return f"{verdict} {', '.join(filter(None, parts))}."


def made_text(made: Geometry | None) -> str:
    """What the model makes where that differs from what was asked."""
    if made is None or not made.cropped:
        return ""
    parts = []
    if (made.width, made.height) != (made.crop_width, made.crop_height):
        parts.append(
            words.MADE.format(
                made=f"{made.width}×{made.height}", asked=f"{made.crop_width}×{made.crop_height}"
            )
        )
    if made.frames != made.keep_frames:
        parts.append(words.MADE_FRAMES.format(made=made.frames, asked=made.keep_frames))
    return " ".join(parts)


def start_text(ahead: int) -> str:
    """When a job submitted now would start."""
    if ahead == 0:
        return words.STARTS_NOW
    return words.STARTS_NEXT if ahead == 1 else words.STARTS_LATER.format(count=ahead)


def button_text(ahead: int) -> str:
    """The button says what happens."""
    return words.ADD.format(place=words.place(ahead + 1)) if ahead else words.GENERATE
