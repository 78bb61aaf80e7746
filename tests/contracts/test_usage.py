"""How long people's jobs had the card."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from tests.conftest import SetClock
from tests.values import PLAN, a_request
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.usage import SqlUsageStore
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem
from wan22_app.domain.job import Job, JobState
from wan22_app.ports import NewJob

HOUR = timedelta(hours=1)
CLOSE = timedelta(seconds=1)
"""The test's clock goes a little at each look."""


@pytest.fixture
def usage(database: Engine, clock: SetClock) -> SqlUsageStore:
    return SqlUsageStore(database, clock)


def claimed(jobs: SqlJobStore, person: Person, key: str) -> Job:
    job = jobs.add(person, NewJob(request=a_request(), key=key), 100)
    started = jobs.claim(job, PLAN)
    assert started is not None
    return started


def run(jobs: SqlJobStore, clock: SetClock, person: Person, key: str, seconds: float) -> None:
    job = claimed(jobs, person, key)
    clock.advance(seconds)
    assert jobs.end(job.id, job.epoch, JobState.FAILED)


def test_each_has_their_own_time_and_only_what_lies_within_counts(
    jobs: SqlJobStore, usage: SqlUsageStore, clock: SetClock, person: Person, stranger: Person
) -> None:
    run(jobs, clock, person, "1", 1800)
    run(jobs, clock, stranger, "2", 600)
    run(jobs, clock, person, "3", 300)
    assert abs(usage.within(person.id, HOUR) - timedelta(minutes=35)) < CLOSE
    assert abs(usage.within(stranger.id, HOUR) - timedelta(minutes=10)) < CLOSE
    assert abs(usage.within(person.id, timedelta(minutes=25)) - timedelta(minutes=15)) < CLOSE
    clock.advance(3600)
    assert usage.within(person.id, HOUR) == timedelta()


def test_a_killed_attempt_and_a_waiting_time_are_not_the_persons(
    jobs: SqlJobStore, usage: SqlUsageStore, clock: SetClock, person: Person
) -> None:
    job = claimed(jobs, person, "1")
    clock.advance(900)
    jobs.requeue(job.id, job.epoch, Problem(code="x", what="It died."))
    waiting = jobs.get(person, job.id)
    jobs.request_cancel(person, waiting.id)
    assert usage.within(person.id, HOUR) == timedelta()


def test_a_clock_set_back_gives_nobody_time_back(
    jobs: SqlJobStore, usage: SqlUsageStore, clock: SetClock, person: Person
) -> None:
    run(jobs, clock, person, "1", 60)
    run(jobs, clock, person, "2", -300)
    assert abs(usage.within(person.id, HOUR) - timedelta(minutes=1)) < CLOSE
