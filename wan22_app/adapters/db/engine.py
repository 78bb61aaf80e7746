"""Connections: pragmas on each one, write transactions that never surface a busy database."""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from wan22_app.domain.errors import Problem, Unwritable

BUSY_TIMEOUT_MS = 10_000
RETRY_FOR_S = 30.0
WRITES = "wan22_writes"
Result = TypeVar("Result")
REFUSED = {
    "database or disk is full": "Its disk is full.",
    "readonly database": "Its folder or file may not be written.",
    "unable to open database file": "Its folder or file may not be written.",
    "disk I/O error": "Its disk reports a fault, or is full.",
}
"""What SQLite says when the disk takes nothing, and what that means."""


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """False for the SQLite releases whose WAL reset can corrupt the file (sqlite.org/wal.html)."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51, 0)
        or (3, 44, 6) <= version < (3, 45, 0)
    )


def create_engine(url: str, *, wal: bool | None = None) -> Engine:
    """An engine for SQLite or PostgreSQL. Opens nothing yet.

    ``wal`` chooses SQLite's journal; left out, the version of SQLite decides.
    """
    if wal is None:
        wal = wal_is_safe(sqlite3.sqlite_version_info[:3])
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_set_pragmas, wal=wal))
        event.listen(engine, "begin", _begin)
        event.listen(engine, "reset", _roll_back)
    return engine


def _set_pragmas(connection: Any, _record: object, *, wal: bool) -> None:
    """Settings belong to a connection, so every pooled one needs them."""
    # The driver's own BEGIN comes too late and is never IMMEDIATE; ``_begin`` sends ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
    cursor.execute(f"PRAGMA synchronous={'FULL' if wal else 'EXTRA'}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes the lock at the start: upgrading a read lock later can only fail."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _roll_back(connection: Any, _record: object, _state: object) -> None:
    """A COMMIT that was refused as busy leaves its transaction open, and with it the lock.

    The pool believes that the commit has ended it: the next user could not even begin.
    """
    connection.rollback()


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and (
        "database is locked" in str(error) or "database table is locked" in str(error)
    )


def patiently(busy: Callable[[BaseException], bool] = _is_busy) -> Retrying:
    """Attempts until a busy database lets one through; what is not ``busy`` surfaces at once."""
    return Retrying(
        retry=retry_if_exception(busy),
        stop=stop_after_delay(RETRY_FOR_S),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )


def write(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Run ``work`` in one write transaction and commit; a busy database is waited for.

    Raises Unwritable when the disk is full or forbids it; then nothing has changed.
    """
    try:
        return _write(engine, work)
    except OperationalError as error:
        reason = next((reason for mark, reason in REFUSED.items() if mark in str(error)), None)
        if reason is None:
            raise
        raise Unwritable(_unwritable(engine, reason)) from error


def _write(engine: Engine, work: Callable[[Session], Result]) -> Result:
    for attempt in patiently():
        with attempt:
            connection = engine.connect().execution_options(**{WRITES: True})
            with connection, Session(connection) as session:
                result = work(session)
                session.commit()
                return result
    raise AssertionError("unreachable: the last attempt returns or raises")


def read(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Run ``work`` in one read transaction; a busy database is waited for."""
    for attempt in patiently():
        with attempt, Session(engine) as session:
            return work(session)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _unwritable(engine: Engine, reason: str) -> Problem:
    return Problem(
        code="database_unwritable",
        what="Nothing was changed: the database cannot be written.",
        cause=reason,
        cure="Make room on the disk of the data folder, or correct its rights; then try again.",
        evidence=str(engine.url.database or ""),
    )
