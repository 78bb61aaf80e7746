"""Real processes, really killed: the job is finished by the next one and the video appears once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.values import a_request
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import DISPATCHER, Attachment, ensure_dispatcher, is_held
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


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def submit(app: Services, key: str, steps: int = 150, side: int = 128) -> Job:
    request = a_request(width=side, height=side, frames=17, steps=steps)
    return app.jobs.add(LOCAL_PERSON, NewJob(request=request, key=key), 10)


def state(app: Services, job: Job) -> JobState:
    return app.queue.get(LOCAL_PERSON, job.id).state


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


def test_a_killed_engine_costs_a_retry_and_no_more(app: Services, settings: Settings) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1")
        until(lambda: started(app, job), "the first steps")
        ours(settings, "engine.child")[0].kill()
        finished_once(app, settings, job)
        assert app.queue.get(LOCAL_PERSON, job.id).attempts == 2
        assert "requeued" in [event.kind for event in app.queue.story(LOCAL_PERSON, job.id)]


def test_a_killed_dispatcher_takes_its_engine_along_and_the_next_goes_on(
    app: Services, settings: Settings
) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1")
        until(lambda: started(app, job), "the first steps")
        ours(settings, "wan22_app.dispatcher")[0].kill()
        until(lambda: not ours(settings, "engine.child"), "the end of the orphan")
        ensure_dispatcher(settings.locks, settings.logs)
        finished_once(app, settings, job)


def test_without_anybody_attached_the_job_goes_back_and_the_card_is_free(
    app: Services, settings: Settings
) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1", steps=200, side=384)
        until(lambda: started(app, job), "the first steps")
    until(lambda: not ours(settings), "the end of dispatcher and engine")
    back = app.queue.get(LOCAL_PERSON, job.id)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        until(lambda: started(app, job), "the job at work again")


def test_a_polite_stop_counts_nothing(app: Services, settings: Settings) -> None:
    service = subprocess.Popen([sys.executable, "-m", "wan22_app.dispatcher"])
    job = submit(app, "1", steps=200)
    until(lambda: started(app, job), "the first steps")
    service.terminate()
    assert service.wait(timeout=PATIENCE_S) in (0, 1)
    until(lambda: not ours(settings, "engine.child"), "the end of the engine")
    if sys.platform != "win32":  # Windows knows no polite termination
        assert app.queue.get(LOCAL_PERSON, job.id).attempts == 0


def test_of_many_dispatchers_one_rules(app: Services, settings: Settings) -> None:
    assert app.settings == settings
    with Attachment(settings.locks):
        command = [sys.executable, "-m", "wan22_app.dispatcher", "--attached"]
        many = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(5)]
        until(lambda: sum(each.poll() is not None for each in many) == 4, "the losers' end")
        until(lambda: is_held(settings.locks, DISPATCHER), "a dispatcher")
        (ruler,) = [each for each in many if each.poll() is None]
        ruler.kill()
        ruler.wait()


def test_cancel_reaches_a_running_job_across_processes(app: Services, settings: Settings) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1", steps=200)
        until(lambda: started(app, job), "the first steps")
        app.queue.cancel(LOCAL_PERSON, job.id)
        until(lambda: state(app, job).final, "the end of the job")
        assert state(app, job) is JobState.CANCELLED
        assert list(settings.outputs.glob("*.mp4")) == []
        after = submit(app, "2", steps=2)
        until(lambda: state(app, after) is JobState.SUCCEEDED, "the next job")


def test_the_web_never_imports_torch() -> None:
    """In a fresh interpreter, for this one may have it already."""
    code = (
        "import sys, wan22_app.wan22_app\n"
        "bad = {'torch', 'diffusers', 'transformers', 'accelerate', 'peft'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
