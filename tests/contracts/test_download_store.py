"""Rows of downloads: one for each model, fenced, and told to the jobs that wait."""

import threading
from datetime import timedelta

import pytest

from tests.conftest import SetClock
from tests.values import a_request
from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import TI2V_5B
from wan22_app.domain.download import MAX_ATTEMPTS, Amount, Download, DownloadState, backoff
from wan22_app.domain.errors import Conflict, NotFound, Problem
from wan22_app.ports import NewJob

WHY = Problem(code="hub_busy", what="The hub is busy.", cure="Try again.")
STRANGER = Person(id="eve", name="Eve")


@pytest.fixture
def wish(downloads: SqlDownloadStore, person: Person) -> Download:
    return downloads.request(person, "ti2v-5b")


@pytest.fixture
def run(downloads: SqlDownloadStore, wish: Download) -> Download:
    claimed = downloads.claim_next()
    assert claimed is not None
    assert claimed.id == wish.id
    return claimed


def test_two_wishes_are_one_download(downloads: SqlDownloadStore, person: Person) -> None:
    found: list[str] = []

    def ask() -> None:
        found.append(downloads.request(person, "ti2v-5b").id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert downloads.request(person, "t2v-a14b").id not in found


def test_after_the_end_a_wish_is_a_new_download(
    downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    downloads.end(run.id, DownloadState.FAILED, WHY)
    again = downloads.request(person, "ti2v-5b")
    assert again.id != run.id
    assert [each.id for each in downloads.latest()] == [again.id]


def test_a_claim_is_one_and_first_come_first_served(
    downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    assert (run.state, run.attempts) == (DownloadState.RUNNING, 1)
    second = downloads.request(person, "t2v-a14b")
    third = downloads.request(person, "i2v-a14b")
    claimed = downloads.claim_next()
    assert claimed is not None
    assert claimed.id == second.id != third.id
    assert [each.id for each in downloads.running()] == [run.id, second.id]


def test_progress_is_kept_and_moves_the_revision(
    downloads: SqlDownloadStore, jobs: SqlJobStore, person: Person, run: Download
) -> None:
    before = jobs.latest_revision()
    assert downloads.record(run.id, Amount(done=5, total=10, per_second=2.5))
    now = downloads.get(person, run.id)
    assert (now.done_bytes, now.total_bytes, now.seconds_left) == (5, 10, 2.0)
    after = jobs.latest_revision()
    assert after[0] > before[0]
    assert after[1] == before[1], "lists need not be read again for a step"


def test_a_cancelled_download_must_not_go_on(
    downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    assert downloads.request_cancel(person, run.id).state is DownloadState.RUNNING
    assert not downloads.record(run.id, Amount(done=1, total=2))
    downloads.put_back(run.id, WHY)
    assert downloads.get(person, run.id).state is DownloadState.CANCELLED
    with pytest.raises(Conflict):
        downloads.request_cancel(person, run.id)


def test_a_waiting_download_is_cancelled_at_once(
    downloads: SqlDownloadStore, person: Person, wish: Download
) -> None:
    assert downloads.request_cancel(person, wish.id).state is DownloadState.CANCELLED
    assert downloads.claim_next() is None
    assert not downloads.is_wanted("ti2v-5b")


def test_a_stranger_sees_and_stops_nothing(downloads: SqlDownloadStore, run: Download) -> None:
    with pytest.raises(NotFound):
        downloads.get(STRANGER, run.id)
    with pytest.raises(NotFound):
        downloads.request_cancel(STRANGER, run.id)
    assert downloads.is_wanted("ti2v-5b")


def test_a_death_waits_longer_each_time_and_the_last_one_fails(
    downloads: SqlDownloadStore, person: Person, clock: SetClock, run: Download
) -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        downloads.put_back(run.id, WHY)
        waiting = downloads.get(person, run.id)
        assert (waiting.state, waiting.problem) == (DownloadState.WAITING, WHY)
        assert downloads.claim_next() is None, "not before its time"
        clock.advance(backoff(attempt).total_seconds())
        claimed = downloads.claim_next()
        assert claimed is not None
        assert claimed.attempts == attempt + 1
    downloads.put_back(run.id, WHY)
    assert downloads.get(person, run.id).state is DownloadState.FAILED


def test_a_download_that_moves_may_die_for_ever(
    downloads: SqlDownloadStore, person: Person, clock: SetClock, run: Download
) -> None:
    for step in range(1, 3 * MAX_ATTEMPTS):
        downloads.record(run.id, Amount(done=step, total=100))
        downloads.put_back(run.id, WHY)
        clock.advance(1000)
        assert downloads.claim_next() is not None
    assert downloads.get(person, run.id).state is DownloadState.RUNNING


def test_a_polite_return_counts_nothing_and_waits_for_nothing(
    downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    downloads.put_back(run.id, None)
    waiting = downloads.get(person, run.id)
    assert (waiting.attempts, waiting.retry_at, waiting.problem) == (0, None, None)
    assert downloads.claim_next() is not None


def test_a_final_download_is_final(
    downloads: SqlDownloadStore, person: Person, run: Download
) -> None:
    downloads.end(run.id, DownloadState.SUCCEEDED)
    downloads.end(run.id, DownloadState.FAILED, WHY)
    downloads.put_back(run.id, WHY)
    assert not downloads.record(run.id, Amount(done=1, total=1))
    ended = downloads.get(person, run.id)
    assert (ended.state, ended.problem) == (DownloadState.SUCCEEDED, None)
    assert ended.finished_at is not None


@pytest.mark.parametrize("how", ["fails", "cancelled"])
def test_a_waiting_job_is_told_and_not_lost(
    downloads: SqlDownloadStore, jobs: SqlJobStore, person: Person, run: Download, how: str
) -> None:
    waiting = jobs.add(person, NewJob(request=a_request(TI2V_5B), key="1"), 10)
    other = jobs.add(person, NewJob(request=a_request(), key="2"), 10)
    if how == "fails":
        downloads.end(run.id, DownloadState.FAILED, WHY)
    else:
        downloads.request_cancel(person, run.id)
        downloads.put_back(run.id, None)
    line = jobs.story(person, waiting.id)[-1]
    assert line.kind == "weights"
    assert line.problem == (WHY if how == "fails" else None)
    assert "weights" not in [each.kind for each in jobs.story(person, other.id)]
    assert jobs.get(person, waiting.id).revision > waiting.revision
    assert not jobs.get(person, waiting.id).state.final


def test_the_waits_grow_and_end_somewhere() -> None:
    waits = [backoff(attempts) for attempts in range(10)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=15)


def test_a_clock_put_back_delays_and_hides_nothing(
    downloads: SqlDownloadStore, person: Person, run: Download, clock: SetClock
) -> None:
    downloads.put_back(run.id, WHY)
    clock.advance(-86_400)
    assert downloads.claim_next() is not None, "no wait is as long as a day"
    downloads.end(run.id, DownloadState.FAILED, WHY)
    clock.advance(-86_400)
    again = downloads.request(person, "ti2v-5b")
    assert [each.id for each in downloads.latest()] == [again.id], "the one that can be cancelled"
