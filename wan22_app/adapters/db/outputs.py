"""Rows of finished videos; written with the job's end by the job store."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read
from wan22_app.adapters.db.rows import output_of
from wan22_app.adapters.db.tables import OutputRow
from wan22_app.domain.account import Person
from wan22_app.domain.errors import NotFound, Problem
from wan22_app.domain.output import Output


class SqlOutputStore:
    """OutputStore over SQLAlchemy."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def get(self, person: Person, output_id: str) -> Output:
        def work(session: Session) -> Output:
            row = session.get(OutputRow, output_id)
            if row is None or row.owner != person.id:
                raise NotFound(Problem(code="no_such_output", what="There is no such video."))
            return output_of(row)

        return read(self._engine, work)

    def page(
        self, person: Person, before: datetime | None = None, limit: int = 50
    ) -> Sequence[Output]:
        query = select(OutputRow).where(OutputRow.owner == person.id)
        if before is not None:
            query = query.where(OutputRow.created_at < before)
        query = query.order_by(col(OutputRow.created_at).desc()).limit(limit)
        return read(self._engine, lambda session: [output_of(row) for row in session.exec(query)])

    def known_files(self) -> Collection[str]:
        query = select(OutputRow.video, OutputRow.poster)
        return read(
            self._engine,
            lambda session: {name for pair in session.exec(query) for name in pair},
        )
