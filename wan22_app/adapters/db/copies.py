"""Copies of the database: taken while others write, looked into, brought up to date."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import REFUSED, create_engine, patiently, read
from wan22_app.adapters.db.migrate import migrate, revision
from wan22_app.adapters.db.tables import JobRow, OutputRow
from wan22_app.adapters.durable import sync_file
from wan22_app.domain.backup import Contents
from wan22_app.domain.errors import CannotStart, Problem, UserError

Result = TypeVar("Result")


def is_sqlite(url: str) -> bool:
    """Whether this is an SQLite database with a file."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and bool(parsed.database)


def database_file(url: str) -> Path:
    """The file of an SQLite database; raises UserError for any other."""
    parsed = make_url(url)
    if not is_sqlite(url) or not parsed.database:
        raise UserError(_foreign(parsed.get_backend_name()))
    return Path(parsed.database)


class SqliteCopies:
    """DatabaseCopies of one SQLite file; ``connect`` opens it as everybody else does."""

    def __init__(self, url: str, connect: Callable[[str], Engine] = create_engine):
        self._url = url
        self._connect = connect

    def size(self) -> int:
        file = database_file(self._url)
        if not file.is_file():
            raise UserError(_nothing(file))
        # What the write-ahead log holds comes on top of the file itself.
        log = file.with_name(file.name + "-wal")
        return file.stat().st_size + (log.stat().st_size if log.is_file() else 0)

    def take(self, target: Path) -> None:
        _with(self._connect(self._url), lambda engine: _vacuum_into(engine, target))
        sync_file(target)

    def contents(self, copy: Path) -> Contents:
        url = _url(copy)
        found = revision(url)
        if found is None:
            raise CannotStart(_empty(copy))
        read_all = partial(read, work=lambda session: _contents(session, found))
        contents = _with(create_engine(url), read_all)
        _settle(copy)
        return contents

    def modernise(self, copy: Path) -> None:
        if revision(_url(copy)) is None:
            raise CannotStart(_empty(copy))
        migrate(_url(copy))
        _settle(copy)

    def settle(self) -> None:
        with suppress(sqlite3.DatabaseError):
            _settle(database_file(self._url))


def _url(file: Path) -> str:
    """Quoted: people give their backups names with question marks in them."""
    return f"sqlite:///{quote(file.as_posix())}"


def _with(engine: Engine, work: Callable[[Engine], Result]) -> Result:
    """Every connection is closed afterwards: Windows moves no file that is open."""
    try:
        return work(engine)
    finally:
        engine.dispose()


def _vacuum_into(engine: Engine, target: Path) -> None:
    """One read transaction: what is committed meanwhile is in the next backup."""
    try:
        for attempt in patiently(lambda error: "locked" in str(error)):
            # The statement brings its own transaction and allows none around it.
            with attempt, closing(engine.raw_connection()) as connection:
                # A busy database may have ended an earlier attempt after its beginning.
                target.unlink(missing_ok=True)
                connection.cursor().execute("VACUUM INTO ?", (str(target),))
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise UserError(_not_copied(target, str(error))) from error


def _contents(session: Session, found: str) -> Contents:
    """By columns that every revision has: the copy may be older than the code."""
    outputs = session.exec(select(OutputRow.video, OutputRow.poster, OutputRow.sha256)).all()
    requests = session.exec(select(JobRow.request).order_by(col(JobRow.number)))
    return Contents(
        revision=found,
        videos={video: sha256 for video, _, sha256 in outputs},
        posters=tuple(poster for _, poster, _ in outputs),
        images=tuple(dict.fromkeys(name for text in requests for name in _images(text))),
    )


def _images(request: str) -> Iterable[str]:
    """Files of the images of a request, which may be older than today's fields."""
    fields = json.loads(request)
    for image in (fields.get("image") or {}, fields.get("last_image") or {}):
        if image.get("sha256"):
            yield f"{image['sha256']}.png"
        if image.get("original"):
            yield f"{image['original']}.original.png"


def _settle(file: Path) -> None:
    """Nothing may stay behind in a log beside it: a moved database would lose its newest rows."""
    if not file.is_file():
        return
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    sync_file(file)


def _foreign(kind: str) -> Problem:
    tool = "pg_dump and pg_restore" if kind == "postgresql" else "the database's own tools"
    return Problem(
        code="backup_foreign_database",
        what=f"A {kind} database is not backed up or restored by this command.",
        cause="Only its own tools can copy it while it is in use.",
        cure=f"Use {tool}, and copy the outputs folder afterwards.",
    )


def _nothing(file: Path) -> Problem:
    return Problem(
        code="backup_nothing",
        what="There is nothing to back up.",
        cause=f"There is no database {file}.",
        cure="Check WAN22_DATA and config.json; wan22 doctor says where settings come from.",
    )


def _empty(copy: Path) -> Problem:
    return Problem(
        code="backup_empty_database",
        what="The database in the backup has no tables of this app.",
        cure="Use another backup.",
        evidence=str(copy),
    )


def _not_copied(target: Path, error: str) -> Problem:
    reason = next((reason for mark, reason in REFUSED.items() if mark in error), "")
    return Problem(
        code="backup_database_not_copied",
        what="The database could not be copied.",
        cause=reason or "It is damaged, or was busy for too long.",
        cure="Make room, choose another disk, or try again; wan22 doctor looks at the database.",
        evidence=f"{target}: {error.splitlines()[0]}",
    )
