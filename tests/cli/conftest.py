"""An installation of its own for each test: folders, database, demo checkpoints."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

Wan22 = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def installation(tmp_path: Path, demo_models: Path) -> dict[str, str]:
    """Environment of an app whose folders lie in the test's own."""
    folders = {"DATA": "data", "OUTPUTS": "outputs", "LORAS": "loras"}
    places = {f"WAN22_{name}": str(tmp_path / folder) for name, folder in folders.items()}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return {
        **os.environ,
        **places,
        "WAN22_MODELS": str(demo_models),
        "WAN22_FRONTEND_PORT": port,
    }


@pytest.fixture
def wan22(installation: dict[str, str], tmp_path: Path) -> Wan22:
    """Run a command as a person would, to its end."""

    def call(*arguments: object, timeout: float = 110) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wan22_app.cli", *map(str, arguments)]
        return subprocess.run(
            command,
            env=installation,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call


@pytest.fixture(autouse=True)
def no_process_left(tmp_path: Path) -> object:
    """Whatever a test leaves running in its own folders is ended."""
    yield None
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"] or {}
        if environment.get("WAN22_DATA") == str(tmp_path / "data"):
            process.kill()
