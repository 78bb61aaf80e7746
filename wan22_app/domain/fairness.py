"""Who is next."""

from collections.abc import Sequence

from wan22_app.domain.job import HoldReason, Job


def pick_next(candidates: Sequence[Job]) -> Job | None:
    """The first job in the order of submission that nothing holds back; None when all wait."""
    ready = (job for job in candidates if job.hold is HoldReason.NONE and not job.cancel_requested)
    return min(ready, key=lambda job: job.number, default=None)
