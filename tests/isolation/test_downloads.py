"""Real downloaders under a real dispatcher: killed, cancelled, left alone, waited for."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fake_hub import FakeHub, Fault, serving, stand_in
from tests.isolation.conftest import ours, state, until
from tests.values import a_request
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import Attachment, ensure_dispatcher
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import TI2V_5B
from wan22_app.domain.download import Download, DownloadState
from wan22_app.domain.job import HoldReason, JobState
from wan22_app.ports import NewJob
from wan22_app.settings import Settings

BIG = "transformer/diffusion_pytorch_model.safetensors"
PAUSE = 1_000_000


@pytest.fixture
def hub(tmp_path: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(FakeHub({TI2V_5B.repo: stand_in(demo_models, tmp_path / "repository")})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        # A paused hub must stay paused however slow this machine is.
        monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "100")
        yield hub


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> Settings:
    """As in the other tests of processes, with an empty models folder."""
    assert hub.url
    for name in ("data", "outputs", "loras", "models"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    return Settings()


@pytest.fixture
def app(settings: Settings) -> Iterator[Services]:
    services = build_services(settings)
    migrate(settings.database)
    yield services
    for process in ours(settings):
        process.kill()


def get(app: Services) -> Download:
    ensure_dispatcher(app.settings.locks, app.settings.logs)
    return app.weights.get(LOCAL_PERSON, TI2V_5B.key)


def now(app: Services, download: Download) -> Download:
    # As the web does all the time: whoever wants a dispatcher keeps asking for one.
    ensure_dispatcher(app.settings.locks, app.settings.logs)
    return app.weights.look(LOCAL_PERSON, download.id)


def has(app: Services, download: Download, wanted: DownloadState) -> bool:
    found = now(app, download)
    assert found.state is wanted or not found.state.final, found.problem
    return found.state is wanted


def size(hub: FakeHub) -> int:
    return hub.files()[BIG].stat().st_size


@pytest.mark.slow
def test_a_waiting_job_runs_when_its_weights_are_here(
    app: Services, settings: Settings, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, pause_after=PAUSE)]
    with Attachment(settings.locks):
        wish = get(app)
        request = a_request(TI2V_5B, width=256, height=256, frames=5, steps=2, precision="fp32")
        job = app.jobs.add(LOCAL_PERSON, NewJob(request=request, key="1"), 10)
        until(lambda: hub.served[BIG] >= PAUSE, "the first megabyte")
        until(lambda: app.queue.get(LOCAL_PERSON, job.id).hold is HoldReason.WEIGHTS, "the hold")
        assert not app.library.entry(TI2V_5B.key).ready
        hub.gate.set()
        until(lambda: has(app, wish, DownloadState.SUCCEEDED), "the weights")
        until(lambda: state(app, job).final, "the end of the job")
        assert state(app, job) is JobState.SUCCEEDED, app.queue.get(LOCAL_PERSON, job.id).problem


@pytest.mark.slow
def test_a_killed_downloader_is_started_again_and_goes_on(
    app: Services, settings: Settings, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, pause_after=PAUSE)]
    with Attachment(settings.locks):
        wish = get(app)
        until(lambda: now(app, wish).done_bytes >= PAUSE, "a megabyte on the page")
        ours(settings, "wan22_app.downloader")[0].kill()
        until(lambda: has(app, wish, DownloadState.SUCCEEDED), "the weights")
        assert app.library.entry(TI2V_5B.key).ready
        assert hub.served[BIG] < size(hub) + PAUSE // 2, "what was on the disk came once"


@pytest.mark.slow
def test_a_killed_dispatcher_takes_its_downloader_along_and_the_next_goes_on(
    app: Services, settings: Settings, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, pause_after=PAUSE)]
    with Attachment(settings.locks):
        wish = get(app)
        until(lambda: now(app, wish).done_bytes >= PAUSE, "a megabyte on the page")
        ours(settings, "wan22_app.dispatcher")[0].kill()
        until(lambda: not ours(settings, "wan22_app.downloader"), "the end of the orphan")
        until(lambda: has(app, wish, DownloadState.SUCCEEDED), "the weights")
        assert now(app, wish).attempts == 1
        assert hub.served[BIG] < size(hub) + PAUSE // 2


def test_a_cancel_ends_the_process_although_the_hub_is_silent(
    app: Services, settings: Settings, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, pause_after=PAUSE)]
    with Attachment(settings.locks):
        wish = get(app)
        until(lambda: hub.served[BIG] >= PAUSE, "the first megabyte")
        app.weights.cancel(LOCAL_PERSON, wish.id)
        until(lambda: not ours(settings, "wan22_app.downloader"), "the end of the downloader")
        until(lambda: has(app, wish, DownloadState.CANCELLED), "the verdict")
        assert not app.library.entry(TI2V_5B.key).ready


@pytest.mark.slow
def test_without_anybody_attached_the_download_waits_for_the_next_time(
    app: Services, settings: Settings, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, pause_after=PAUSE)]
    with Attachment(settings.locks):
        wish = get(app)
        until(lambda: hub.served[BIG] >= PAUSE, "the first megabyte")
    until(lambda: not ours(settings), "the end of dispatcher and downloader")
    waiting = app.weights.look(LOCAL_PERSON, wish.id)
    assert (waiting.state, waiting.problem) == (DownloadState.WAITING, None)
    with Attachment(settings.locks):
        until(lambda: has(app, wish, DownloadState.SUCCEEDED), "the weights")


def test_the_engine_and_the_web_load_nothing_that_asks_the_network(
    app: Services, settings: Settings
) -> None:
    """Only the downloader may; a look at what the others import, in a fresh interpreter."""
    import subprocess
    import sys

    code = (
        "import sys, wan22_app.wan22_app, wan22_app.dispatcher, wan22_app.cli\n"
        "sys.exit('huggingface_hub' in sys.modules or 'wan22_app.adapters.hub' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(settings.data / "wan22.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM download").fetchone() == (0,)
    assert app.weights.shelves(LOCAL_PERSON)
