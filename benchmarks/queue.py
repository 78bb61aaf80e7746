"""``python -m benchmarks.queue``: what a full queue costs against an empty one.

Two databases in one run, one empty, one with 10,000 waiting jobs; the same calls on both in turns.
"Empty" still holds as many jobs as one page and the dispatcher's window take, else a listing would
be compared with no listing at all. Prints a table and writes ``benchmarks/results/queue.json``.
"""

import argparse
import platform
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import Engine
from sqlmodel import Session

from benchmarks.report import publish
from tests.values import PLAN, a_request
from wan22_app.adapters.db.counters import NUMBER
from wan22_app.adapters.db.engine import create_engine, write
from wan22_app.adapters.db.jobs import CANDIDATES_PER_PERSON, SqlJobStore
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.tables import CounterRow, JobRow
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.errors import Problem
from wan22_app.domain.fairness import in_turn
from wan22_app.domain.job import JobState
from wan22_app.ports import NewJob

PAGE = 50
WINDOW = max(PAGE, CANDIDATES_PER_PERSON)
MOST = 100_000
BACK = Problem(code="stopped", what="The app was stopped.")
Calls = dict[str, Callable[[int], object]]


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), args.waiting, args.rounds)
    publish("queue", report)
    return 0


def measure(folder: Path, waiting: int, rounds: int) -> dict[str, object]:
    """Medians of both, taken in turns, and their ratios."""
    engines = {"empty": database(folder / "empty.sqlite", WINDOW),
               "full": database(folder / "full.sqlite", waiting)}  # fmt: skip
    both = {name: calls(engine) for name, engine in engines.items()}
    times: dict[str, dict[str, list[float]]] = {name: {} for name in both}
    for number in range(rounds):
        for call in both["empty"]:
            # Each in turn goes first: what the other left in the caches must not decide.
            for name in sorted(both, reverse=bool(number % 2)):
                begin = time.perf_counter()
                both[name][call](number)
                times[name].setdefault(call, []).append(time.perf_counter() - begin)
    for engine in engines.values():
        engine.dispose()
    return {
        "waiting": {"empty": WINDOW, "full": waiting},
        "rounds": rounds,
        "calls": {call: compared(times["empty"][call], times["full"][call])
                  for call in both["empty"]},
        "machine": f"{platform.machine()}, SQLite {sqlite3.sqlite_version}",
    }  # fmt: skip


def compared(empty: Sequence[float], full: Sequence[float]) -> dict[str, float]:
    """Medians in milliseconds, and what the full queue costs in empty ones."""
    first, second = statistics.median(empty), statistics.median(full)
    return {
        "empty_ms": round(first * 1000, 3),
        "full_ms": round(second * 1000, 3),
        "ratio": round(second / first, 3),
    }


def calls(engine: Engine) -> Calls:
    """What people and the dispatcher do; the queue is as long afterwards as before."""
    jobs = SqlJobStore(engine, SystemClock(), SystemSecrets())
    request, added = a_request(), list[str]()

    def submit(number: int) -> None:
        new = NewJob(request=request, key=f"measured {number}")
        added.append(jobs.add(LOCAL_PERSON, new, MOST).id)

    def cancel(_number: int) -> None:
        jobs.request_cancel(LOCAL_PERSON, added.pop())

    def claim(_number: int) -> None:
        """The dispatcher's round: look who may be next, and claim the first."""
        run = jobs.claim(jobs.candidates()[0], PLAN)
        assert run is not None
        added.append(run.id)

    def put_back(_number: int) -> None:
        assert jobs.requeue(added.pop(), jobs.running()[0].epoch, BACK, count_attempt=False)

    def page(_number: int) -> None:
        assert len(jobs.queue(LOCAL_PERSON, PAGE)) == PAGE

    def line(_number: int) -> None:
        """Who starts when, for the start times on the page."""
        assert len(list(in_turn(jobs.candidates(PAGE), jobs.served()))) == PAGE

    return {"submit": submit, "cancel": cancel, "claim": claim, "put back": put_back,
            "list a page": page, "tell who starts when": line}  # fmt: skip


def database(file: Path, waiting: int) -> Engine:
    """A migrated database with so many waiting jobs of one person."""
    url = f"sqlite:///{file.as_posix()}"
    migrate(url)
    engine = create_engine(url)
    request, start = a_request().model_dump_json(), datetime.now(UTC) - timedelta(days=1)

    def fill(session: Session) -> None:
        for number in range(1, waiting + 1):
            moment = start + timedelta(seconds=number)
            session.add(JobRow(
                id=secrets.token_hex(16), number=number, place=number, owner=LOCAL_PERSON.id,
                key=str(number), request=request, state=str(JobState.QUEUED), created_at=moment,
                revision=number,
            ))  # fmt: skip
        session.merge(CounterRow(name=NUMBER, value=waiting))

    write(engine, fill)
    return engine


if __name__ == "__main__":
    sys.exit(main())
