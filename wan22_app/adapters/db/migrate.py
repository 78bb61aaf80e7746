"""Bring the tables to the code's version, and refuse what the code does not know."""

import sqlite3
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DatabaseError

from wan22_app.adapters.db.engine import create_engine
from wan22_app.domain.errors import CannotStart, Problem

PROJECT = Path(__file__).resolve().parents[3]
LOCK_TIMEOUT_S = 60


def migrate(url: str) -> None:
    """Create or upgrade the tables. Safe from several processes at once.

    Existing SQLite data is copied to ``backups/`` beside the file first. Raises CannotStart for a
    database that is newer than the code or cannot be read; such a file is never written to.
    """
    with _one_at_a_time(url):
        engine = create_engine(url)
        try:
            current = _current(engine)
            _refuse_newer(current)
            if current == _head():
                return
            if current is not None:
                _back_up(url, current)
            command.upgrade(_config(url), "head")
        finally:
            engine.dispose()


def check(url: str) -> None:
    """Raise CannotStart when the tables are not exactly those of the code."""
    engine = create_engine(url)
    try:
        if _sqlite_file(url) is not None and not _exists(url):
            raise CannotStart(_old())
        current = _current(engine)
    finally:
        engine.dispose()
    _refuse_newer(current)
    if current != _head():
        raise CannotStart(_old())


def revision(url: str) -> str | None:
    """The revision of an existing database, None without tables.

    Raises CannotStart for one that is newer than the code or cannot be read.
    """
    engine = create_engine(url)
    try:
        current = _current(engine)
    finally:
        engine.dispose()
    _refuse_newer(current)
    return current


def _config(url: str) -> Config:
    config = Config(str(PROJECT / "alembic.ini"))
    config.set_main_option("script_location", str(PROJECT / "alembic").replace("%", "%%"))
    config.attributes["url"] = url
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(""))


def _head() -> str | None:
    return _script().get_current_head()


def _current(engine: Engine) -> str | None:
    """The revision in the database, None when it has no tables; CannotStart when unreadable."""
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise CannotStart(
            Problem(
                code="database_unreadable",
                what="The database cannot be read.",
                cause="The file is damaged, locked for long, or no database.",
                cure="Put a copy from data/backups in its place, or move the file away.",
                evidence=str(error).splitlines()[0],
            )
        ) from error


def _refuse_newer(current: str | None) -> None:
    if current is None:
        return
    try:
        _script().get_revision(current)
    except CommandError as error:
        raise CannotStart(
            Problem(
                code="database_newer",
                what="The database is newer than this version of the app.",
                cause="A newer version has used it.",
                cure="Start the newer version, or put a copy from data/backups in its place.",
                evidence=f"revision {current}",
            )
        ) from error


def _old() -> Problem:
    return Problem(
        code="database_old",
        what="The database is not up to date.",
        cure="Run: wan22 migrate",
    )


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def _exists(url: str) -> bool:
    file = _sqlite_file(url)
    return file is not None and file.is_file()


def _one_at_a_time(url: str) -> AbstractContextManager[object]:
    """Two processes that migrate one file at once would both create the tables."""
    file = _sqlite_file(url)
    if file is None:
        return nullcontext()
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(file.with_name(file.name + ".migrate.lock"), timeout=LOCK_TIMEOUT_S)


def _back_up(url: str, revision: str) -> None:
    file = _sqlite_file(url)
    if file is None:
        return
    folder = file.parent / "backups"
    folder.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    target = folder / f"{file.stem}-{revision}-{stamp}.sqlite"
    connection = sqlite3.connect(file)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
