"""Samples of the machine's figures."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.tables import SampleRow
from wan22_app.domain.figures import Figures


class SqlFigureStore:
    """FigureStore over SQLAlchemy."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def add(self, figures: Figures, forget_before: datetime) -> None:
        def work(session: Session) -> None:
            session.merge(SampleRow(**dict(figures)))
            session.flush()
            at = col(SampleRow.at)
            # Younger than the newest: the clock was ahead, and one of them would count as now.
            session.exec(delete(SampleRow).where((at < forget_before) | (at > figures.at)))

        write(self._engine, work)

    def since(self, moment: datetime) -> Sequence[Figures]:
        query = select(SampleRow).where(SampleRow.at > moment).order_by(col(SampleRow.at))
        return read(self._engine, lambda session: [_figures(row) for row in session.exec(query)])

    def latest(self) -> Figures | None:
        query = select(SampleRow).order_by(col(SampleRow.at).desc()).limit(1)
        return read(
            self._engine,
            lambda session: _figures(row) if (row := session.exec(query).first()) else None,
        )


def _figures(row: SampleRow) -> Figures:
    return Figures.model_validate(row.model_dump())
