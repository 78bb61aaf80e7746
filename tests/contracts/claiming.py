"""``python -m tests.contracts.claiming URL JOURNAL``: one of many that race for the queue.

Says "ready", waits for a line, claims the first in the queue and ends it until nothing waits, and
says which it had, one id a line.
"""

import sys

from tests.values import PLAN, an_output
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.system import SystemClock, SystemSecrets


def main(url: str, journal: str) -> None:
    engine = create_engine(url, wal=journal == "wal")
    jobs = SqlJobStore(engine, SystemClock(), SystemSecrets())
    jobs.latest_revision()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    while waiting := jobs.candidates():
        run = jobs.claim(waiting[0], PLAN)
        if run is not None:
            assert jobs.succeed(run.id, run.epoch, an_output(run))
            sys.stdout.write(f"{run.id}\n")
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
