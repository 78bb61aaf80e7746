"""What a database says when its disk takes no more, and that it goes on afterwards."""

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.values import a_request
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Unwritable
from wan22_app.ports import NewJob

MOST = 10_000


def fill(jobs: SqlJobStore, person: Person) -> int:
    """Add jobs until one is refused; how many were confirmed."""
    for number in range(MOST):
        new = NewJob(request=a_request(prompt="x" * 1900), key=f"{number}")
        try:
            jobs.add(person, new, MOST)
        except Unwritable:
            return number
    raise AssertionError("the disk was never full")


def test_a_full_disk_is_said_and_no_confirmed_job_is_lost(
    database: Engine, jobs: SqlJobStore, person: Person
) -> None:
    def limit(connection: object, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 200")  # type: ignore[attr-defined]

    database.dispose()
    event.listen(database, "connect", limit)
    confirmed = fill(jobs, person)
    with pytest.raises(Unwritable) as refusal:
        jobs.add(person, NewJob(request=a_request(prompt="x" * 1900), key="one more"), MOST)
    assert refusal.value.problem.cure
    assert len(jobs.queue(person, limit=MOST)) == confirmed
    event.remove(database, "connect", limit)
    database.dispose()
    assert jobs.add(person, NewJob(request=a_request(), key="after"), MOST).number == confirmed + 1
