"""The web process: really killed in the middle of a job, reloaded, started twice."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import left_out
from tests.isolation.conftest import finished_once, ours, started, submit, until
from tests.server import PROJECT, answers, free_port, start, stop
from wan22_app import bun
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.settings import Settings


@pytest.mark.slow
def test_a_killed_web_costs_its_running_job_nothing(
    app: Services, settings: Settings, tmp_path: Path
) -> None:
    first = start({}, tmp_path)
    try:
        job = submit(app, "1", steps=200)
        until(lambda: started(app, job), "the first steps")
        (engine,) = ours(settings, "engine.child")
        for process in [*psutil.Process(first.process.pid).children(), first.process]:
            process.kill()
        first.process.wait()
    finally:
        stop(first)
    assert not answers(first.url)
    assert engine.is_running(), "the engine must not notice"
    second = start({}, tmp_path)
    try:
        finished_once(app, settings, job)
        assert app.queue.get(LOCAL_PERSON, job.id).attempts == 1
    finally:
        stop(second)


@dataclass(frozen=True)
class Checkout:
    """A copy of the project whose database, outputs and models lie inside it, as people's do."""

    root: Path
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['WAN22_BACKEND_PORT']}"

    @property
    def log(self) -> Path:
        """What the dev server wrote."""
        return self.root.parent / "dev.log"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words]


@pytest.fixture
def checkout(tmp_path: Path, demo_models: Path) -> Iterator[Checkout]:
    root = tmp_path / "project"
    shutil.copytree(PROJECT, root, ignore=left_out)
    shutil.copytree(demo_models, root / "models")
    found = bun.find(PROJECT)
    # rxconfig leaves its choices in the environment of whoever imports it, as an earlier test may
    # have: the copy must make its own, or it watches this project's code instead of its own.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("REFLEX_")}
    environment = {
        **outer,
        "WAN22_DATA": str(root / "data"),
        "WAN22_FRONTEND_PORT": str(free_port()),
        "WAN22_BACKEND_PORT": str(free_port()),
        "PYTHONPATH": str(root),
        **({"REFLEX_BUN_PATH": str(found[0])} if found else {}),
    }
    yield Checkout(root, environment)
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("WAN22_DATA") == str(root / "data"):
            process.kill()


@contextmanager
def reflex_run(checkout: Checkout) -> Iterator[subprocess.Popen[bytes]]:
    """``reflex run`` in its dev mode, until its backend answers."""
    with checkout.log.open("wb") as out:
        process = subprocess.Popen(
            checkout.command("reflex", "run"), cwd=checkout.root, env=checkout.environment,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or answers(checkout.url), "the dev server")
        assert process.poll() is None, checkout.log.read_text()[-4000:]
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def workers(checkout: Checkout) -> set[str]:
    """The web processes: each holds a lock file that carries its number."""
    return {path.name for path in (checkout.root / "data" / "locks").glob("attached-*.lock")}


def restarts(checkout: Checkout) -> int:
    """How often the dev server compiled the pages: at its start and at each reload."""
    return checkout.log.read_text().count("Compiling: ")


@pytest.mark.slow
@pytest.mark.timeout(300)  # starts a dev server, which builds its pages first
def test_the_dev_server_reloads_for_code_and_for_nothing_that_a_job_writes(
    checkout: Checkout,
) -> None:
    with reflex_run(checkout):
        before, compiled = workers(checkout), restarts(checkout)
        assert len(before) == 1
        out = checkout.root.parent / "video.mp4"
        generate = ("wan22_app.cli", "generate", "--model", "demo-t2v", "--prompt", "a red ball")
        done = subprocess.run(
            checkout.command(*generate, "--out", str(out)),
            cwd=checkout.root, env=checkout.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(list((checkout.root / "outputs").glob("*.mp4"))) == 1
        assert (checkout.root / "data" / "wan22.sqlite").is_file()
        (checkout.root / "loras" / "new.safetensors").write_bytes(b"x")
        assert workers(checkout) == before
        # Now a change of code. It must be the first that the server noticed: a reload for one of
        # the files above would have come before it and stand in the log, too.
        words = checkout.root / "wan22_app" / "web" / "words" / "app.py"
        words.write_text(words.read_text() + "\n")
        until(lambda: workers(checkout) - before, "the reload", evidence=checkout.log)
        assert restarts(checkout) == compiled + 1


@pytest.mark.slow
@pytest.mark.timeout(300)  # starts a dev server, which builds its pages first
def test_a_second_reflex_run_on_one_folder_ends_and_changes_nothing(checkout: Checkout) -> None:
    with reflex_run(checkout):
        before, compiled = workers(checkout), restarts(checkout)
        ports = {f"WAN22_{name}_PORT": str(free_port()) for name in ("FRONTEND", "BACKEND")}
        pages = stamp(checkout.root / ".web")
        second = subprocess.run(
            checkout.command("reflex", "run"), cwd=checkout.root,
            env={**checkout.environment, **ports}, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "already runs on this folder" in second.stdout + second.stderr
        assert stamp(checkout.root / ".web") == pages
        assert (workers(checkout), restarts(checkout)) == (before, compiled)


def stamp(folder: Path) -> dict[str, int]:
    """When the pages' sources were written."""
    files = [*folder.glob("app/**/*.jsx"), *folder.glob("utils/*.js")]
    assert files
    return {str(file): file.stat().st_mtime_ns for file in files}


@pytest.mark.slow
@pytest.mark.timeout(300)  # starts a dev server, which builds its pages first
def test_a_killed_command_takes_its_app_along(checkout: Checkout) -> None:
    """Whoever ends ``wan22 run`` with a plain kill must not leave a server behind."""
    command = checkout.command("wan22_app.cli", "run", "--env", "dev")
    process = subprocess.Popen(command, cwd=checkout.root, env=checkout.environment)
    until(lambda: process.poll() is not None or answers(checkout.url), "the dev server")
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.terminate()
    process.wait(timeout=30)
    gone = psutil.wait_procs(family, timeout=30)
    assert gone[1] == []
    assert not answers(checkout.url)
