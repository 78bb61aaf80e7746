"""Real processes, really killed: the job is finished by the next one and the video appears once."""

import subprocess
import sys

import pytest

from tests.isolation.conftest import (
    PATIENCE_S,
    finished_once,
    ours,
    stage,
    started,
    state,
    submit,
    until,
)
from wan22_app.adapters.locks import DISPATCHER, Attachment, ensure_dispatcher, is_held
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import JobState
from wan22_app.settings import Settings


@pytest.mark.slow
def test_a_killed_engine_costs_a_retry_and_no_more(app: Services, settings: Settings) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1")
        until(lambda: started(app, job), "the first steps")
        ours(settings, "engine.child")[0].kill()
        finished_once(app, settings, job)
        assert app.queue.get(LOCAL_PERSON, job.id).attempts == 2
        assert "requeued" in [event.kind for event in app.queue.story(LOCAL_PERSON, job.id)]


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_engine_killed_while_decoding_costs_no_denoising(
    app: Services, settings: Settings
) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        job = submit(app, "1", steps=4, side=384)
        until(lambda: stage(app, job) == "decoding", "the decoding")
        ours(settings, "engine.child")[0].kill()
        finished_once(app, settings, job)
        story = [event.text for event in app.queue.story(LOCAL_PERSON, job.id)]
        assert story.count("Denoising.") == 1
        assert any("only decoding is left" in text for text in story)
    assert list(settings.latents.iterdir()) == []


@pytest.mark.slow
def test_a_drain_finishes_the_job_starts_none_and_loses_none(
    app: Services, settings: Settings
) -> None:
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        first, second = submit(app, "1", steps=100), submit(app, "2", steps=4)
        until(lambda: started(app, first), "the first steps")
        drained = ours(settings, "wan22_app.dispatcher")
        done = subprocess.run(
            [sys.executable, "-m", "wan22_app.cli", "dispatch", "--drain"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (state(app, first), state(app, second)) == (JobState.SUCCEEDED, JobState.QUEUED)
        ensure_dispatcher(settings.locks, settings.logs)
        # The drained one may have given up the lock and still be on its way out.
        again = set(ours(settings, "wan22_app.dispatcher")) - set(drained)
        assert not again, "a page must not start it again"
        service = subprocess.Popen([sys.executable, "-m", "wan22_app.cli", "dispatch"])
        until(lambda: state(app, second).final, "the job that waited")
        service.terminate()
        service.wait(timeout=PATIENCE_S)
    assert state(app, second) is JobState.SUCCEEDED


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_polite_stop_counts_nothing(app: Services, settings: Settings) -> None:
    service = subprocess.Popen([sys.executable, "-m", "wan22_app.dispatcher"])
    job = submit(app, "1", steps=200)
    until(lambda: started(app, job), "the first steps")
    service.terminate()
    assert service.wait(timeout=PATIENCE_S) in (0, 1)
    until(lambda: not ours(settings, "engine.child"), "the end of the engine")
    if sys.platform != "win32":  # Windows knows no polite termination
        assert app.queue.get(LOCAL_PERSON, job.id).attempts == 0


@pytest.mark.slow
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
