"""Settings changed on a page, and people's presets."""

import json
from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.counters import changed
from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.tables import PersonRow, PresetRow, SettingRow
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem, QuotaReached
from wan22_app.domain.preset import Preset


class SqlSettingStore:
    """SettingStore over SQLAlchemy."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def get(self, name: str) -> str | None:
        def work(session: Session) -> str | None:
            row = session.get(SettingRow, name)
            return row.value if row else None

        return read(self._engine, work)

    def put(self, name: str, value: str) -> None:
        def work(session: Session) -> None:
            session.merge(SettingRow(name=name, value=value))
            changed(session)

        write(self._engine, work)


class SqlPresetStore:
    """PresetStore over SQLAlchemy."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def all(self, person: Person) -> Sequence[Preset]:
        query = select(PresetRow).where(PresetRow.owner == person.id).order_by(col(PresetRow.name))
        return read(self._engine, lambda session: [_preset(row) for row in session.exec(query)])

    def put(self, preset: Preset, most: int) -> None:
        def work(session: Session) -> None:
            # One change of a person at a time: two tabs must not both take the last place.
            session.get(PersonRow, preset.owner, with_for_update=True)
            mine = PresetRow.owner == preset.owner
            twin = session.exec(
                select(PresetRow).where(mine, PresetRow.name == preset.name)
            ).first()
            count = session.exec(select(func.count()).select_from(PresetRow).where(mine)).one()
            if twin is None and count >= most:
                raise QuotaReached(_too_many(most))
            row = twin or PresetRow(id=preset.id, owner=preset.owner, name=preset.name, fields="")
            row.fields = json.dumps(preset.fields)
            session.add(row)
            changed(session)

        write(self._engine, work)

    def remove(self, person: Person, preset_id: str) -> None:
        def work(session: Session) -> None:
            row = session.get(PresetRow, preset_id)
            if row is not None and row.owner == person.id:
                session.delete(row)
                changed(session)

        write(self._engine, work)


def _preset(row: PresetRow) -> Preset:
    return Preset(id=row.id, owner=row.owner, name=row.name, fields=json.loads(row.fields))


def _too_many(most: int) -> Problem:
    return Problem(
        code="too_many_presets",
        what=f"You have {most} presets, which is the most allowed.",
        cure="Remove one, or save under a name that is there already.",
    )
