"""The lines of a job's story: what happened when, in sentences."""

from sqlmodel import Session

from wan22_app.adapters.db.tables import JobEventRow, JobRow
from wan22_app.domain.errors import Problem
from wan22_app.domain.job import HoldReason, JobState
from wan22_app.ports import Clock

STAGE_TEXTS = {
    "loading": "Loading the model.",
    "text": "Reading the prompt.",
    "image": "Reading the image.",
    "denoising": "Denoising.",
    "decoding": "Decoding the picture.",
    "encoding": "Writing the video.",
}
HOLD_TEXTS = {
    HoldReason.NONE: "Waits no longer.",
    HoldReason.PAUSED: "Paused.",
    HoldReason.WEIGHTS: "Waits for the weights of its model.",
    HoldReason.SPACE: "Waits for room in the outputs folder.",
    HoldReason.MINUTES: "Waits: its person's jobs have used up the minutes for 24 hours.",
}
END_TEXTS = {
    JobState.FAILED: "Failed.",
    JobState.CANCELLED: "Cancelled.",
    JobState.QUARANTINED: "Set aside after too many crashes.",
}


def tell(
    session: Session,
    clock: Clock,
    row: JobRow,
    kind: str,
    text: str,
    problem: Problem | None = None,
) -> None:
    """Add a line, inside the caller's transaction."""
    session.add(
        JobEventRow(
            job_id=row.id,
            at=clock.now(),
            kind=kind,
            text=text,
            problem=problem.model_dump_json() if problem else None,
        )
    )
