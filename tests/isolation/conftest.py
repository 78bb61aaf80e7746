"""An installation of its own for each test, and looks at its real processes."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.values import a_request
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import ensure_dispatcher
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import Job, JobState
from wan22_app.ports import NewJob
from wan22_app.settings import Settings

PATIENCE_S = 100.0


@pytest.fixture
def settings(tmp_path: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation of its own, for this process and its children."""
    for name in ("data", "outputs", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("WAN22_MODELS", str(demo_models))
    return Settings()


@pytest.fixture
def app(settings: Settings) -> Iterator[Services]:
    services = build_services(settings)
    migrate(settings.database)
    yield services
    for process in ours(settings):
        process.kill()


def ours(settings: Settings, word: str = "wan22_app") -> list[psutil.Process]:
    """Processes of this installation whose command line holds a word."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        mine = (process.info["environ"] or {}).get("WAN22_DATA") == str(settings.data)
        if mine and process.pid != os.getpid() and word in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


def until(condition: Callable[[], object], what: str, evidence: Path | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            log = evidence.read_text(errors="replace")[-4000:] if evidence else ""
            pytest.fail(f"waited in vain for: {what}\n{log}")
        time.sleep(0.02)


def submit(app: Services, key: str, steps: int = 150, side: int = 128) -> Job:
    request = a_request(width=side, height=side, frames=17, steps=steps)
    return app.jobs.add(LOCAL_PERSON, NewJob(request=request, key=key), 10)


def state(app: Services, job: Job) -> JobState:
    return app.queue.get(LOCAL_PERSON, job.id).state


def stage(app: Services, job: Job) -> str:
    progress = app.queue.get(LOCAL_PERSON, job.id).progress
    return str(progress.stage) if progress else ""


def started(app: Services, job: Job) -> bool:
    progress = app.queue.get(LOCAL_PERSON, job.id).progress
    return progress is not None and progress.stage == "denoising" and progress.done > 1


def finished_once(app: Services, settings: Settings, job: Job) -> None:
    def ended() -> bool:
        # As the web does all the time: whoever wants a dispatcher keeps asking for one.
        ensure_dispatcher(settings.locks, settings.logs)
        return state(app, job).final

    until(ended, "the end of the job")
    assert state(app, job) is JobState.SUCCEEDED
    assert [output.id for output in app.gallery.page(LOCAL_PERSON)] == [job.id]
    assert [path.name for path in settings.outputs.glob("*.mp4")] == [f"{job.id}.mp4"]
    assert list(settings.staging.glob("*.part")) == []
