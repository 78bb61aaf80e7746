"""What must be refused before anything starts."""

import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wan22_app.adapters.locks import single_web

Wan22 = Callable[..., subprocess.CompletedProcess[str]]


def test_a_port_in_use_is_named_with_the_cure(wan22: Wan22, installation: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        installation["WAN22_FRONTEND_PORT"] = str(taken.getsockname()[1])
        done = wan22("run")
    assert done.returncode == 2
    assert f"Port {installation['WAN22_FRONTEND_PORT']} is in use." in done.stderr
    assert "WAN22_FRONTEND_PORT" in done.stderr


def test_a_second_app_on_one_folder_is_refused(wan22: Wan22, tmp_path: Path) -> None:
    with single_web(tmp_path / "data" / "locks", patience_s=0):
        done = wan22("run")
    assert done.returncode == 2
    assert "already runs on this folder" in done.stderr


@pytest.mark.parametrize("command", [("run",), ("migrate",), ("dispatch",)])
def test_a_newer_database_is_refused_and_kept(
    wan22: Wan22, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert wan22("migrate").returncode == 0
    file = tmp_path / "data" / "wan22.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    done = wan22(*command)
    assert done.returncode == 2
    assert "newer than this version" in done.stderr
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(
    wan22: Wan22, installation: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    installation["WAN22_OUTPUTS"] = str(tmp_path / "file" / "outputs")
    done = wan22("doctor")
    assert done.returncode == 2
    assert "cannot be created" in done.stderr
