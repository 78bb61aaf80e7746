"""Clicks that make another job of one that has ended, taken once however often they come."""

from wan22_app.domain.account import Person
from wan22_app.ports import JobStore


def again_key(jobs: JobStore, person: Person, purpose: str, job_id: str) -> str:
    """The key under which a click queues another job of this one.

    A second click, or one in another tab, has the same key until the job of the first has ended:
    it finds that job instead of making a twin. Call it before judging the job: what ends in between
    is then seen by that judgement.
    """
    series = f"{purpose} {job_id} "
    return f"{series}{jobs.ended_in_series(person, series)}"
