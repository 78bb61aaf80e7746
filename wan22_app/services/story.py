"""What the dispatcher says of a run: sentences for the job's story, and its problems."""

from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Crashed, Resumed

OUT_OF_MEMORY = (-9, 137)
"""Exit codes of a process that the kernel killed for want of main memory; others kill so, too."""
CHANGES = {
    "request": "the settings",
    "weights": "the weights",
    "device": "the device",
    "precision": "the precision",
    "chunk": "the length of the chunks",
    "tile": "the size of the tiles",
    "versions": "versions of libraries",
    "format": "the app",
}


def resumed(event: Resumed) -> str:
    """What became of an earlier run's latents, for the job's story."""
    if event.step == event.total:
        return "The denoised latents of an earlier run are there; only decoding is left."
    if event.step:
        return f"Goes on after step {event.step} of {event.total} of an earlier run."
    if "file" in event.changed:
        return "Starts over: what an earlier run had saved cannot be read."
    changed = ", ".join(CHANGES[name] for name in event.changed)
    return f"Starts over: changed since an earlier run: {changed}."


def died(event: Crashed, stage: str) -> Problem:
    """The process is gone without a verdict."""
    how = "" if event.exit_code is None else f" (exit {event.exit_code})"
    return Problem(
        code="engine_starved" if event.exit_code in OUT_OF_MEMORY else "engine_died",
        what=f"The engine process stopped{how} while {stage}.",
        cause="Probably main memory ran out." if event.exit_code in OUT_OF_MEMORY else "",
        cure="Choose a smaller size or fewer frames if it comes back.",
        evidence=event.log[-4000:],
    )


def unborn(event: Crashed) -> Problem:
    """The engine ended itself before its first word: whatever job it is given, it would."""
    return Problem(
        code="engine_unstartable",
        what=f"The engine could not start (exit {event.exit_code}).",
        cause="Something that it needs is missing, broken or out of memory.",
        cure="Run wan22 doctor, then try again.",
        evidence=event.log[-4000:],
    )


def again_in(why: Problem, seconds: float, number: int, most: int) -> Problem:
    """The same with what is done about it by itself."""
    cure = f"Tried again by itself in {seconds:.0f} s (try {number} of {most})."
    return why.model_copy(update={"cure": cure})


def stuck(event: Crashed, stage: str, limit_s: float) -> Problem:
    """The process lived and did nothing; its log ends with what it was doing."""
    return Problem(
        code="engine_stuck",
        what=f"The engine did nothing for {limit_s / 60:.0f} minutes while {stage}, and was ended.",
        cause="A driver that hangs, or a disk that does not answer.",
        cure="If it comes back, restart the machine.",
        evidence=event.log[-4000:],
    )


def unpublished(error: OSError) -> Problem:
    """The part file could not become a video."""
    return Problem(
        code="outputs_unwritable",
        what="The finished video could not be put into the outputs folder.",
        cause=f"{error.strerror or type(error).__name__}.",
        cure="Make room or correct the folder's rights; it is made again by itself.",
        evidence=str(error)[:300],
    )


def unstartable(error: OSError) -> Problem:
    """The operating system gave no process."""
    return Problem(
        code="engine_unstartable",
        what="The engine could not be started.",
        cause=f"{error.strerror or type(error).__name__}.",
        cure="Close other programs; it is tried again by itself.",
        evidence=str(error)[:300],
    )
