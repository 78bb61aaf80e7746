"""The real backend as people serve it, in processes of its own, without the compiled pages."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).parents[1]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Server:
    """Granian's supervisor and what it has said."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(places: Mapping[str, str], base: Path) -> Server:
    """Granian with one worker over the folders that ``places`` (WAN22_…) names."""
    port = free_port()
    environment = {
        **os.environ,
        **places,
        "WAN22_FRONTEND_PORT": str(port),
        "REFLEX_ENV_MODE": "prod",
        "__REFLEX_SKIP_COMPILE": "true",
        "PYTHONPATH": str(PROJECT),
    }
    command = [
        sys.executable, "-m", "granian", "--interface", "asgi", "--factory",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "wan22_app.wan22_app:app",
    ]  # fmt: skip
    log = base / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    wait_until(lambda: process.poll() is not None or answers(server.url), log)
    assert process.poll() is None, log.read_text()[-4000:]
    return server


def stop(server: Server) -> None:
    """The supervisor politely; its worker by force if it stays."""
    process = server.process
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=15)
    for child in family:
        if child.is_running():
            child.kill()


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain:\n{log.read_text()[-4000:]}")
        time.sleep(0.05)


def answers(url: str, path: str = "/healthz", **headers: str) -> bool:
    return status(url + path, **headers) == 200


def status(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def worker(server: Server) -> int:
    """The process id of granian's one worker, the child with the most memory."""
    children = psutil.Process(server.process.pid).children()
    return max(children, key=lambda child: child.memory_info().rss).pid
