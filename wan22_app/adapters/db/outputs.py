"""Rows of finished videos; inserted with the job's end by the job store."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.counters import changed
from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.rows import folded, output_of
from wan22_app.adapters.db.tables import OutputRow
from wan22_app.domain.account import Person
from wan22_app.domain.errors import NotFound, Problem
from wan22_app.domain.output import EVERYTHING, Output, OutputQuery, Place

EXPERIENCE = 8
"""Videos of a model that are looked at: one of them was probably made by a cold engine."""


class SqlOutputStore:
    """OutputStore over SQLAlchemy."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def get(self, person: Person, output_id: str) -> Output:
        return read(self._engine, lambda session: output_of(_owned(session, person, output_id)))

    def page(
        self,
        person: Person,
        query: OutputQuery = EVERYTHING,
        before: Place | None = None,
        limit: int = 50,
    ) -> Sequence[Output]:
        rows = _newest_first(select(OutputRow), person, query, before).limit(limit)
        return read(self._engine, lambda session: [output_of(row) for row in session.exec(rows)])

    def count(self, person: Person, query: OutputQuery = EVERYTHING) -> int:
        rows = select(func.count()).select_from(OutputRow).where(*_conditions(person, query))
        return read(self._engine, lambda session: session.exec(rows).one())

    def models(self, person: Person) -> Sequence[str]:
        rows = select(OutputRow.model).where(OutputRow.owner == person.id).distinct()
        return read(self._engine, lambda session: sorted(session.exec(rows)))

    def existing(self, person: Person, ids: Collection[str]) -> Collection[str]:
        rows = select(OutputRow.id).where(
            *_conditions(person, EVERYTHING), col(OutputRow.id).in_(list(ids))
        )
        return read(self._engine, lambda session: set(session.exec(rows)))

    def experience(self, models: Collection[str]) -> Sequence[Output]:
        created = col(OutputRow.created_at).desc()

        def work(session: Session) -> Sequence[Output]:
            # One look for each along the index: a single query would sort all that was ever made.
            return [
                output_of(row)
                for model in sorted(models)
                for row in session.exec(
                    select(OutputRow)
                    .where(OutputRow.model == model)
                    .order_by(created)
                    .limit(EXPERIENCE)
                )
            ]

        return read(self._engine, work)

    def favourite(self, person: Person, output_id: str, wanted: bool) -> Output:
        return self._change(person, output_id, lambda row: setattr(row, "favourite", wanted))

    def bin(self, person: Person, output_id: str, at: datetime) -> Output:
        def change(row: OutputRow) -> None:
            row.deleted_at = row.deleted_at or at

        return self._change(person, output_id, change)

    def restore(self, person: Person, output_id: str) -> Output:
        return self._change(person, output_id, lambda row: setattr(row, "deleted_at", None))

    def overdue(self, before: datetime, limit: int = 100) -> Sequence[Output]:
        deleted = col(OutputRow.deleted_at)
        rows = select(OutputRow).where(deleted < before).order_by(deleted).limit(limit)
        return read(self._engine, lambda session: [output_of(row) for row in session.exec(rows)])

    def purge(self, output: Output, remove: Callable[[], bool]) -> bool:
        def work(session: Session) -> bool:
            row = session.get(OutputRow, output.id, with_for_update=True)
            if row is None or row.deleted_at is None or row.deleted_at != output.deleted_at:
                return False
            # Under the row's lock: whoever takes it out of the bin meanwhile gets it whole or not.
            if not remove():
                return False
            session.delete(row)
            session.flush()
            changed(session)
            return True

        return write(self._engine, work)

    def known_files(self) -> Collection[str]:
        query = select(OutputRow.video, OutputRow.poster)
        return read(
            self._engine,
            lambda session: {name for pair in session.exec(query) for name in pair},
        )

    def _change(
        self, person: Person, output_id: str, change: Callable[[OutputRow], None]
    ) -> Output:
        """Change one row, and move the revision only when it is another row afterwards."""

        def work(session: Session) -> Output:
            row = _owned(session, person, output_id, lock=True)
            change(row)
            if session.is_modified(row):
                session.add(row)
                changed(session)
            return output_of(row)

        return write(self._engine, work)


def _owned(session: Session, person: Person, output_id: str, *, lock: bool = False) -> OutputRow:
    row = session.get(OutputRow, output_id, with_for_update=lock)
    if row is None or row.owner != person.id:
        raise NotFound(Problem(code="no_such_output", what="There is no such video."))
    return row


def _conditions(person: Person, query: OutputQuery) -> list[Any]:
    """The WHERE of a query. The words are the person's: ``contains`` takes them literally."""
    deleted = col(OutputRow.deleted_at)
    found = [
        OutputRow.owner == person.id,
        deleted.is_not(None) if query.binned else deleted.is_(None),
    ]
    found += [
        col(OutputRow.search).contains(word, autoescape=True)
        for word in folded(query.words).split()
    ]
    if query.model:
        found.append(OutputRow.model == query.model)
    if query.favourites:
        found.append(col(OutputRow.favourite).is_(True))
    return found


def _newest_first(columns: Any, person: Person, query: OutputQuery, before: Place | None) -> Any:
    """Keyset paging: rows that come or go above do not shift what follows."""
    created, key = col(OutputRow.created_at), col(OutputRow.id)
    rows = columns.where(*_conditions(person, query)).order_by(created.desc(), key.desc())
    if before is None:
        return rows
    earlier = and_(created == before.created_at, key < before.id)
    return rows.where(or_(created < before.created_at, earlier))
