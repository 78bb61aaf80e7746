"""What this machine learned about memory, in SQL."""

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from pydantic import ValidationError
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.tables import ExperienceRow, MeasuredRow
from wan22_app.domain.measured import Measured
from wan22_app.domain.relief import Relief, stronger
from wan22_app.ports import Clock

KEPT = timedelta(days=90)
"""After that long a driver or another program on the card may have changed everything."""

MOST_MEASURED = 100
"""Sizes and placements of a model that a plan looks at."""


class SqlExperienceStore:
    """ExperienceStore over SQLAlchemy."""

    def __init__(self, engine: Engine, clock: Clock):
        self._engine = engine
        self._clock = clock

    def put(self, model: str, device: str, pixels: int, relief: Relief) -> None:
        row = ExperienceRow(
            model=model,
            device=device,
            pixels=pixels,
            relief=relief.model_dump_json(),
            at=self._clock.now(),
        )
        write(self._engine, lambda session: session.merge(row))

    def needed(self, model: str, device: str, pixels: int) -> Relief:
        query = select(ExperienceRow.relief).where(
            ExperienceRow.model == model,
            ExperienceRow.device == device,
            ExperienceRow.pixels <= pixels,
            col(ExperienceRow.at) > self._clock.now() - KEPT,
        )

        def work(session: Session) -> Relief:
            known = map(Relief.model_validate_json, session.exec(query))
            return reduce(stronger, known, Relief())

        return read(self._engine, work)

    def keep(self, measured: Measured) -> None:
        row = MeasuredRow(
            model=measured.model,
            device=measured.device,
            software=measured.software,
            setup=measured.setup,
            size=f"{measured.tokens}/{measured.tile}/{measured.chunk}",
            figures=measured.model_dump_json(),
            at=self._clock.now(),
        )
        write(self._engine, lambda session: session.merge(row))

    def measured(self, model: str, device: str, software: str) -> Sequence[Measured]:
        query = (
            select(MeasuredRow.figures)
            .where(
                MeasuredRow.model == model,
                MeasuredRow.device == device,
                MeasuredRow.software == software,
                col(MeasuredRow.at) > self._clock.now() - KEPT,
            )
            .order_by(col(MeasuredRow.at).desc())
            .limit(MOST_MEASURED)
        )

        def work(session: Session) -> Sequence[Measured]:
            return [found for row in session.exec(query) if (found := _measured(row)) is not None]

        return read(self._engine, work)


def _measured(row: str) -> Measured | None:
    """None for what another version has written: it would teach nothing, and stop every plan."""
    try:
        return Measured.model_validate_json(row)
    except ValidationError:
        return None
