"""The verdict in words: what would happen if the form were submitted now."""

from dataclasses import dataclass

from wan22_app.domain.generation import Geometry
from wan22_app.services.submission import Verdict, wont_fit_problem
from wan22_app.web import words
from wan22_app.web.views import about


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
        general = [p.sentence() for p in verdict.problems if p.field in ("", "model")]
        return VerdictView("bad", " ".join(general) or words.FIX_FIELDS, made)
    if verdict.wont_fit is not None:
        return VerdictView("bad", wont_fit_problem(verdict.wont_fit).sentence(), made)
    return VerdictView("ok", _fits(verdict), made)


def _fits(verdict: Verdict) -> str:
    device, plan = verdict.device, verdict.plan
    fits = words.FITS_CPU
    if device.kind != "cpu" and plan is not None:
        needed, total = plan.peak_vram_bytes / 1e9, device.total_bytes / 1e9
        fits = words.FITS_CARD.format(needed=needed, total=total)
    seconds = verdict.seconds or (plan.seconds if plan is not None else None)
    return ", ".join(filter(None, [fits, about(seconds) if seconds else ""])) + "."


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
