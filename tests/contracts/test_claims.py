"""Many processes at one queue: nothing is claimed twice, nothing is left, nobody hears "locked"."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

from tests.server import PROJECT
from tests.values import a_request
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import JobState
from wan22_app.domain.output import EVERYTHING
from wan22_app.ports import NewJob

PATIENCE_S = 900.0
JOURNALS = pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
"""Chosen for a test whatever the version: its database is thrown away."""


def store(engine: Engine) -> SqlJobStore:
    return SqlJobStore(engine, SystemClock(), SystemSecrets())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wan22.sqlite"


@pytest.fixture
def engine(file: Path, wal: bool) -> Iterator[Engine]:
    url = f"sqlite:///{file.as_posix()}"
    migrate(url)
    engine = create_engine(url, wal=wal)
    yield engine
    engine.dispose()


def race(engine: Engine, wal: bool, processes: int) -> list[str]:
    """The ids that were claimed, by whichever process."""
    journal = "wal" if wal else "delete"
    command = [sys.executable, "-m", "tests.contracts.claiming", str(engine.url), journal]
    racers = [
        subprocess.Popen(command, cwd=PROJECT, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        words = [racer.communicate(timeout=PATIENCE_S) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
    assert [errors for _, errors in words if errors] == [], "surfaced"
    assert [racer.returncode for racer in racers] == [0] * processes
    return [job_id for ids, _ in words for job_id in ids.split()]


def check_race(engine: Engine, wal: bool, processes: int, count: int) -> None:
    jobs = store(engine)
    added = {
        jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key=str(number)), count).id
        for number in range(count)
    }
    claimed = race(engine, wal, processes)
    assert [job_id for job_id, times in Counter(claimed).items() if times > 1] == [], "doubled"
    assert set(claimed) == added, "lost"
    ended = jobs.ended(LOCAL_PERSON, limit=count + 1)
    assert {job.id for job in ended} == added
    assert {(job.state, job.epoch, job.attempts) for job in ended} == {(JobState.SUCCEEDED, 1, 1)}
    assert SqlOutputStore(engine).count(LOCAL_PERSON, EVERYTHING) == count


@JOURNALS
def test_four_processes_claim_fifty_jobs_once_each(engine: Engine, wal: bool) -> None:
    check_race(engine, wal, processes=4, count=50)


@pytest.mark.slow
@pytest.mark.timeout(1000)
@JOURNALS
def test_eight_processes_claim_a_thousand_jobs_once_each(engine: Engine, wal: bool) -> None:
    check_race(engine, wal, processes=8, count=1_000)


@JOURNALS
def test_the_journal_is_the_one_that_was_asked_for(engine: Engine, wal: bool) -> None:
    with engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous")
        ]
    full, extra = 2, 3
    assert pragmas == (["wal", full] if wal else ["delete", extra])


@pytest.mark.parametrize("wal", [False], ids=["rollback journal"])
def test_a_commit_that_a_long_reader_held_up_is_tried_again(
    engine: Engine, wal: bool, file: Path
) -> None:
    """A refused COMMIT leaves its transaction open: the next attempt must not stumble over it."""
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchall()
    refused = list[str]()

    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0")

    def let_go(context: ExceptionContext) -> None:
        refused.append(str(context.original_exception))
        if reader.in_transaction:
            reader.execute("ROLLBACK")

    engine.dispose()
    event.listen(engine, "connect", impatient)
    event.listen(engine, "handle_error", let_go)
    job = store(engine).add(LOCAL_PERSON, NewJob(request=a_request(), key="1"), 1)
    assert refused == ["database is locked"]
    assert store(engine).get(LOCAL_PERSON, job.id).state is JobState.QUEUED
    reader.close()
