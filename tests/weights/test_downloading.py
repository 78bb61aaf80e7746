"""What a downloader writes into its row, whichever way it ends."""

import pytest

from tests.fake_hub import FakeHub, Fault
from tests.weights.conftest import Client
from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.domain.account import Person
from wan22_app.domain.download import Download, DownloadState
from wan22_app.services.downloading import Downloading

BIG = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def run(downloads: SqlDownloadStore, person: Person) -> Download:
    downloads.request(person, "ti2v-5b")
    claimed = downloads.claim_next()
    assert claimed is not None
    return claimed


@pytest.fixture
def downloading(downloads: SqlDownloadStore, client: Client) -> Downloading:
    return Downloading(downloads, client.bringing)


def test_success_stands_in_the_row_with_its_bytes(
    downloading: Downloading, downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    downloading.run(run.id)
    ended = downloads.get(person, run.id)
    assert ended.state is DownloadState.SUCCEEDED
    assert ended.done_bytes == ended.total_bytes > 3_000_000


def test_what_will_not_pass_fails_at_once(
    downloading: Downloading,
    downloads: SqlDownloadStore,
    person: Person,
    run: Download,
    hub: FakeHub,
) -> None:
    hub.faults = [Fault("/api/", status=401)]
    downloading.run(run.id)
    ended = downloads.get(person, run.id)
    assert ended.state is DownloadState.FAILED
    assert ended.problem is not None
    assert ended.problem.code == "hub_401"


def test_a_hub_that_never_answered_is_a_failure_to_read_about_now(
    downloading: Downloading,
    downloads: SqlDownloadStore,
    person: Person,
    run: Download,
    hub: FakeHub,
) -> None:
    hub.faults = [Fault("", times=99, status=503)]
    downloading.run(run.id)
    assert downloads.get(person, run.id).state is DownloadState.FAILED


def test_a_hub_that_went_away_in_the_middle_is_waited_for(
    downloading: Downloading,
    downloads: SqlDownloadStore,
    person: Person,
    run: Download,
    hub: FakeHub,
) -> None:
    hub.faults = [Fault(BIG, times=99, status=503)]
    downloading.run(run.id)
    waiting = downloads.get(person, run.id)
    assert waiting.state is DownloadState.WAITING
    assert waiting.problem is not None
    assert waiting.problem.code == "hub_busy"
    assert waiting.retry_at is not None


def test_a_repository_that_moved_on_is_asked_anew_by_itself(
    downloading: Downloading,
    downloads: SqlDownloadStore,
    person: Person,
    run: Download,
    hub: FakeHub,
) -> None:
    hub.faults = [Fault(BIG, times=99, status=404, headers={"X-Error-Code": "EntryNotFound"})]
    downloading.run(run.id)
    waiting = downloads.get(person, run.id)
    assert waiting.state is DownloadState.WAITING
    assert waiting.problem is not None
    assert waiting.problem.code == "hub_changed"


def test_a_cancelled_row_stops_the_work_and_gets_no_verdict_from_it(
    downloading: Downloading,
    downloads: SqlDownloadStore,
    person: Person,
    run: Download,
    client: Client,
) -> None:
    downloads.request_cancel(person, run.id)
    downloading.run(run.id)
    assert downloads.get(person, run.id).state is DownloadState.RUNNING
    assert not client.entry.ready


def test_a_row_that_does_not_run_is_left_alone(
    downloading: Downloading, downloads: SqlDownloadStore, person: Person, hub: FakeHub
) -> None:
    waiting = downloads.request(person, "ti2v-5b")
    downloading.run(waiting.id)
    assert downloads.get(person, waiting.id) == waiting
    assert hub.requests == []
