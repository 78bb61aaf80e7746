"""Who is next."""

from collections.abc import Mapping, Sequence

from wan22_app.domain.job import HoldReason, Job


def pick_next(candidates: Sequence[Job], served: Mapping[str, int]) -> Job | None:
    """The first ready job of whoever was served longest ago; None when all wait.

    ``served`` is each person's last start as a growing number; who is not in it was never served.
    Among people who were never served, the older job decides. With one person this is the queue's
    own order, and with k people waiting any k starts in a row serve all of them.
    """
    ready = (job for job in candidates if job.hold is HoldReason.NONE and not job.cancel_requested)
    return min(ready, key=lambda job: (served.get(job.owner, 0), job.place), default=None)
