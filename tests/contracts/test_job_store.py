"""What every JobStore promises, on the database that people use."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlmodel import Session

from tests.conftest import SetClock
from tests.values import PLAN, a_request, an_output
from wan22_app.adapters.db import order
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, NotFound, Problem, QuotaReached
from wan22_app.domain.events import Stage
from wan22_app.domain.job import HoldReason, Job, JobState, Progress
from wan22_app.ports import NewJob

WHY = Problem(code="died", what="The engine died.")
MOST = 10


def add(jobs: SqlJobStore, person: Person, key: str) -> Job:
    return jobs.add(person, NewJob(request=a_request(), key=key), MOST)


@pytest.fixture
def job(jobs: SqlJobStore, person: Person) -> Job:
    return add(jobs, person, "first")


@pytest.fixture
def run(jobs: SqlJobStore, job: Job) -> Job:
    claimed = jobs.claim(job, PLAN)
    assert claimed is not None
    return claimed


def test_a_job_comes_back_as_it_was_given(jobs: SqlJobStore, person: Person) -> None:
    request = a_request(prompt="ein roter Ball 🎈", negative_prompt="", steps=3)
    job = jobs.add(person, NewJob(request=request, key="k"), MOST)
    assert jobs.get(person, job.id) == job
    assert job.request == request
    assert job.state is JobState.QUEUED


def test_the_same_key_is_the_same_job(jobs: SqlJobStore, person: Person, stranger: Person) -> None:
    assert add(jobs, person, "k").id == add(jobs, person, "k").id
    assert add(jobs, person, "k").id != add(jobs, stranger, "k").id


def test_a_hundred_clicks_at_once_make_one_job(jobs: SqlJobStore, person: Person) -> None:
    barrier, ids = threading.Barrier(8), set[str]()

    def click() -> None:
        barrier.wait()
        ids.update(add(jobs, person, "click").id for _ in range(12))

    _together(click, 8)
    assert len(ids) == 1
    assert len(jobs.queue(person)) == 1


def test_the_quota_holds_however_many_ask_at_once(jobs: SqlJobStore, person: Person) -> None:
    barrier, refused = threading.Barrier(6), list[str]()

    def ask(name: int) -> None:
        barrier.wait()
        for number in range(4):
            try:
                add(jobs, person, f"{name}-{number}")
            except QuotaReached as error:
                refused.append(error.problem.code)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(6)]
    _run(threads)
    assert len(jobs.queue(person)) == MOST
    assert len(refused) == 24 - MOST


def test_jobs_keep_the_order_of_their_submission(jobs: SqlJobStore, person: Person) -> None:
    ids = [add(jobs, person, str(number)).id for number in range(5)]
    assert [job.id for job in jobs.candidates()] == ids


def test_a_person_gets_at_most_32_candidates(
    jobs: SqlJobStore, person: Person, stranger: Person
) -> None:
    for number in range(40):
        jobs.add(person, NewJob(request=a_request(), key=str(number)), 100)
    last = add(jobs, stranger, "late")
    candidates = jobs.candidates()
    assert len(candidates) == 33
    assert candidates[-1].id == last.id


def test_strangers_see_nothing(jobs: SqlJobStore, stranger: Person, job: Job) -> None:
    for look in (jobs.get, jobs.story, jobs.request_cancel, jobs.remove):
        with pytest.raises(NotFound):
            look(stranger, job.id)
    assert jobs.queue(stranger) == []


def test_a_claim_counts_the_attempt_and_moves_the_epoch(run: Job) -> None:
    assert (run.state, run.attempts, run.epoch) == (JobState.RUNNING, 1, 1)
    assert run.plan == PLAN
    assert run.started_at is not None


def test_a_job_is_claimed_once(jobs: SqlJobStore, job: Job, run: Job) -> None:
    assert run.id == job.id
    assert jobs.claim(job, PLAN) is None


def test_racing_claims_never_double(jobs: SqlJobStore, person: Person, database_url: str) -> None:
    for number in range(60):
        jobs.add(person, NewJob(request=a_request(), key=str(number)), 100)
    barrier, claimed = threading.Barrier(6), list[str]()

    def race() -> None:
        engine = create_engine(database_url)
        store = SqlJobStore(engine, SystemClock(), SystemSecrets())
        barrier.wait()
        while candidates := store.candidates():
            won = store.claim(candidates[0], PLAN)
            if won is not None:
                claimed.append(won.id)
        engine.dispose()

    _together(race, 6)
    assert len(claimed) == 60
    assert len(set(claimed)) == 60


def test_progress_is_kept_and_a_new_stage_is_told_once(
    jobs: SqlJobStore, person: Person, run: Job
) -> None:
    for done in (0, 1, 2):
        progress = Progress(stage=Stage.DENOISING, done=done, total=2, expert="high")
        assert jobs.record(run.id, run.epoch, progress)
    assert jobs.get(person, run.id).progress == progress
    assert [event.kind for event in jobs.story(person, run.id)] == ["queued", "started", "stage"]


def test_a_stale_epoch_changes_nothing(jobs: SqlJobStore, person: Person, run: Job) -> None:
    stale = run.epoch
    assert jobs.requeue(run.id, stale, WHY)
    again = jobs.claim(jobs.get(person, run.id), PLAN)
    assert again is not None
    assert not jobs.record(run.id, stale, Progress(stage=Stage.TEXT))
    assert not jobs.succeed(run.id, stale, an_output(run))
    assert not jobs.end(run.id, stale, JobState.FAILED, WHY)
    assert not jobs.requeue(run.id, stale, WHY)
    assert jobs.get(person, run.id) == again


def test_a_rescued_job_keeps_its_place_and_a_death_counts(
    jobs: SqlJobStore, person: Person, run: Job
) -> None:
    later = add(jobs, person, "later")
    jobs.requeue(run.id, run.epoch, WHY)
    assert [job.id for job in jobs.candidates()] == [run.id, later.id]
    assert jobs.get(person, run.id).attempts == 1
    story = jobs.story(person, run.id)
    assert story[-1].problem == WHY


def test_a_polite_return_does_not_count(jobs: SqlJobStore, person: Person, run: Job) -> None:
    jobs.requeue(run.id, run.epoch, WHY, count_attempt=False)
    assert jobs.get(person, run.id).attempts == 0


def test_success_brings_the_output_with_it_and_only_once(
    jobs: SqlJobStore, outputs: SqlOutputStore, person: Person, run: Job
) -> None:
    output = an_output(run)
    assert jobs.succeed(run.id, run.epoch, output)
    assert not jobs.succeed(run.id, run.epoch, output)
    assert jobs.get(person, run.id).state is JobState.SUCCEEDED
    assert outputs.get(person, run.id) == output
    assert list(outputs.page(person)) == [output]
    assert set(outputs.known_files()) == {output.video, output.poster}


def test_a_final_state_is_final(jobs: SqlJobStore, person: Person, run: Job) -> None:
    jobs.end(run.id, run.epoch, JobState.FAILED, WHY)
    assert not jobs.succeed(run.id, run.epoch, an_output(run))
    with pytest.raises(Conflict):
        jobs.request_cancel(person, run.id)
    assert jobs.get(person, run.id).problem == WHY


def test_a_waiting_job_is_cancelled_at_once(jobs: SqlJobStore, person: Person, job: Job) -> None:
    assert jobs.request_cancel(person, job.id).state is JobState.CANCELLED
    assert jobs.claim(job, PLAN) is None


def test_cancelling_a_running_job_raises_the_flag_only(
    jobs: SqlJobStore, person: Person, run: Job
) -> None:
    assert jobs.request_cancel(person, run.id).state is JobState.RUNNING
    assert [job.id for job in jobs.cancelling()] == [run.id]
    jobs.requeue(run.id, run.epoch, WHY)
    assert jobs.get(person, run.id).state is JobState.CANCELLED, "a rescue must not revive it"


def test_only_ended_jobs_are_removed(jobs: SqlJobStore, person: Person, job: Job) -> None:
    with pytest.raises(Conflict):
        jobs.remove(person, job.id)
    jobs.request_cancel(person, job.id)
    jobs.remove(person, job.id)
    assert jobs.ended(person) == []
    with pytest.raises(NotFound):
        jobs.get(person, job.id)


def test_a_held_job_says_why_and_goes_on(jobs: SqlJobStore, person: Person, job: Job) -> None:
    jobs.hold(job, HoldReason.SPACE)
    held = jobs.get(person, job.id)
    assert held.hold is HoldReason.SPACE
    before = jobs.latest_revision()
    jobs.hold(held, HoldReason.SPACE)
    assert jobs.latest_revision() == before, "an equal hold is no change"
    jobs.hold(held, HoldReason.NONE)
    assert jobs.get(person, job.id).hold is HoldReason.NONE


def test_every_change_is_seen_by_who_asks_for_changes(
    jobs: SqlJobStore, person: Person, clock: SetClock
) -> None:
    seen = jobs.latest_revision().latest
    assert seen == 0

    def changes() -> Iterator[JobState]:
        nonlocal seen
        changed = jobs.changed(seen)
        seen = jobs.latest_revision().latest
        return iter([job.state for job in changed])

    job = add(jobs, person, "k")
    assert list(changes()) == [JobState.QUEUED]
    run = jobs.claim(job, PLAN)
    assert run is not None
    assert list(changes()) == [JobState.RUNNING]
    jobs.record(run.id, run.epoch, Progress(stage=Stage.TEXT))
    assert list(changes()) == [JobState.RUNNING]
    jobs.end(run.id, run.epoch, JobState.FAILED, WHY)
    assert list(changes()) == [JobState.FAILED]
    jobs.remove(person, run.id)
    assert list(changes()) == [JobState.FAILED]
    assert list(changes()) == []


def _together(work: object, count: int) -> None:
    _run([threading.Thread(target=work) for _ in range(count)])  # type: ignore[arg-type]


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_draft_ends_without_a_video_and_only_in_its_epoch(
    jobs: SqlJobStore, outputs: SqlOutputStore, person: Person
) -> None:
    job = jobs.add(person, NewJob(request=a_request(), key="draft", until=2), 10)
    whole = jobs.add(person, NewJob(request=a_request(), key="whole"), 10)
    for each in (job, whole):
        claimed = jobs.claim(each, PLAN)
        assert claimed is not None
    assert jobs.drafts(person, 10) == []
    assert not jobs.draft(job.id, 7)
    assert jobs.draft(job.id, 1)
    assert not jobs.draft(job.id, 1), "final is final"
    assert jobs.succeed(whole.id, 1, an_output(whole))
    assert outputs.count(person) == 1
    (found,) = jobs.drafts(person, 10)
    assert (found.id, found.state, found.until) == (job.id, JobState.SUCCEEDED, 2)
    assert jobs.drafts(Person(id="eve", name="Eve"), 10) == []
    jobs.remove(person, job.id)
    assert jobs.drafts(person, 10) == []


def test_drafts_are_found_without_looking_at_all_that_has_ended(
    database: Engine, person: Person
) -> None:
    with Session(database) as session:
        query = order.drafts(person, 10).compile(
            database, compile_kwargs={"literal_binds": True}
        )  # fmt: skip
        plan = session.connection().execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert any("ix_job_drafts" in str(step) for step in plan), plan
