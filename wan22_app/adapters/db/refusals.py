"""Why the queue refuses a change."""

from wan22_app.domain.errors import Problem


def too_many(most: int) -> Problem:
    """The person's share of the queue is used up."""
    return Problem(
        code="quota_reached",
        what=f"You have {most} jobs waiting, which is the most allowed.",
        cure="Cancel one, or wait until one has started.",
    )


def already_over() -> Problem:
    """Too late to cancel."""
    return Problem(code="already_over", what="This job has already ended.")


def not_over() -> Problem:
    """Only ended jobs are hidden."""
    return Problem(code="not_over", what="This job has not ended yet.", cure="Cancel it first.")


def not_waiting() -> Problem:
    """Too late to move or to pause."""
    return Problem(code="not_waiting", what="This job waits no longer, so its place is gone.")
