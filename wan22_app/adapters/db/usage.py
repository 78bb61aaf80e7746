"""How long people's jobs had the card, in SQL."""

from datetime import datetime, timedelta

from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read
from wan22_app.adapters.db.tables import JobRow
from wan22_app.ports import Clock


class SqlUsageStore:
    """UsageStore over SQLAlchemy."""

    def __init__(self, engine: Engine, clock: Clock):
        self._engine = engine
        self._clock = clock

    def within(self, person_id: str, span: timedelta) -> timedelta:
        since = self._clock.now() - span
        query = select(JobRow.started_at, JobRow.finished_at).where(
            JobRow.owner == person_id,
            col(JobRow.finished_at) > since,
            col(JobRow.started_at).is_not(None),
        )

        def work(session: Session) -> timedelta:
            # Summed here: databases subtract times each in a way of its own.
            runs = session.exec(query)
            return sum((_overlap(since, *run) for run in runs), timedelta())

        return read(self._engine, work)


def _overlap(since: datetime, started: datetime | None, finished: datetime | None) -> timedelta:
    """The part of a run after ``since``; nothing when the clock was set back in between."""
    if started is None or finished is None:
        return timedelta()
    return max(finished - max(started, since), timedelta())
