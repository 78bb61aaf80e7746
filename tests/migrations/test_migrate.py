"""Migrations: up, equal to the tables, and never over what the code does not know."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from wan22_app.adapters.db import tables
from wan22_app.adapters.db.engine import create_engine, wal_is_safe
from wan22_app.adapters.db.migrate import check, migrate
from wan22_app.domain.errors import CannotStart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wan22.sqlite"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file.as_posix()}"


def test_the_schema_equals_the_tables(url: str) -> None:
    assert tables.JobRow.__tablename__ == "job"
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_an_empty_place_is_old_until_migrated(url: str, file: Path) -> None:
    with pytest.raises(CannotStart) as refusal:
        check(url)
    assert refusal.value.problem.code == "database_old"
    assert not file.exists(), "a look must not create a database"
    migrate(url)
    check(url)
    migrate(url)


def test_a_newer_database_is_refused_and_untouched(url: str, file: Path) -> None:
    migrate(url)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    connection.close()
    before = file.read_bytes()
    for entry in (check, migrate):
        with pytest.raises(CannotStart) as refusal:
            entry(url)
        assert refusal.value.problem.code == "database_newer"
        assert refusal.value.problem.cure
    assert file.read_bytes() == before


def test_a_damaged_file_is_refused_and_untouched(url: str, file: Path) -> None:
    file.write_bytes(b"this is no database at all, " * 400)
    before = file.read_bytes()
    for entry in (check, migrate):
        with pytest.raises(CannotStart) as refusal:
            entry(url)
        assert refusal.value.problem.code == "database_unreadable"
    assert file.read_bytes() == before


def test_processes_that_migrate_at_once_all_succeed(url: str) -> None:
    code = f"from wan22_app.adapters.db.migrate import migrate; migrate({url!r})"
    starts = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in starts] == [0, 0, 0, 0]
    check(url)


def test_every_connection_has_the_pragmas(url: str) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() in (2, 3)
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 6), True),
        ((3, 45, 1), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_is_sound(
    version: tuple[int, int, int], safe: bool
) -> None:
    assert wal_is_safe(version) is safe
