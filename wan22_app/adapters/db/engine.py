"""Connections: pragmas on each one, write transactions that never surface a busy database."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

BUSY_TIMEOUT_MS = 10_000
RETRY_FOR_S = 30.0
WRITES = "wan22_writes"
Result = TypeVar("Result")


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """False for the SQLite releases whose WAL reset can corrupt the file (sqlite.org/wal.html)."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51, 0)
        or (3, 44, 6) <= version < (3, 45, 0)
    )


def create_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL. Opens nothing yet."""
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    """Settings belong to a connection, so every pooled one needs them."""
    wal = wal_is_safe(sqlite3.sqlite_version_info[:3])
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


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and (
        "database is locked" in str(error) or "database table is locked" in str(error)
    )


def write(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Run ``work`` in one write transaction and commit; a busy database is waited for."""
    for attempt in Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(RETRY_FOR_S),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    ):
        with attempt:
            connection = engine.connect().execution_options(**{WRITES: True})
            with connection, Session(connection) as session:
                result = work(session)
                session.commit()
                return result
    raise AssertionError("unreachable: the last attempt returns or raises")


def read(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Run ``work`` in one read transaction; a busy database is waited for."""
    for attempt in Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(RETRY_FOR_S),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    ):
        with attempt, Session(engine) as session:
            return work(session)
    raise AssertionError("unreachable: the last attempt returns or raises")
