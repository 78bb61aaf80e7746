"""What this machine learned about memory, in SQL."""

from datetime import timedelta
from functools import reduce

from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.tables import ExperienceRow
from wan22_app.domain.relief import Relief, stronger
from wan22_app.ports import Clock

KEPT = timedelta(days=90)
"""After that long a driver or another program on the card may have changed everything."""


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
