"""What every JobStore promises about the order of the queue, pauses and the list of what ended."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import SetClock
from tests.values import PLAN, a_request
from wan22_app.adapters.db.jobs import CANDIDATES_PER_PERSON, SqlJobStore
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, NotFound
from wan22_app.domain.events import Stage
from wan22_app.domain.fairness import before_new, in_turn, pick_next
from wan22_app.domain.job import HoldReason, Job, JobState, Progress
from wan22_app.ports import NewJob


def add(jobs: SqlJobStore, person: Person, key: str) -> Job:
    return jobs.add(person, NewJob(request=a_request(), key=key), 100)


def order(jobs: SqlJobStore) -> list[str]:
    return [job.id for job in jobs.candidates()]


def test_a_moved_job_takes_its_place_and_strangers_keep_theirs(
    jobs: SqlJobStore, person: Person, stranger: Person
) -> None:
    a, eve, b, c = (
        add(jobs, who, str(n)) for n, who in enumerate([person, stranger, person, person])
    )
    jobs.move(person, c.id, a.id)
    assert order(jobs) == [c.id, eve.id, a.id, b.id]
    assert [job.id for job in jobs.queue(person)] == [c.id, a.id, b.id]
    jobs.move(person, c.id, None)
    assert order(jobs) == [a.id, eve.id, b.id, c.id]
    jobs.move(person, a.id, a.id)
    assert order(jobs) == [a.id, eve.id, b.id, c.id]


def test_a_job_that_comes_first_does_so_among_ones_own_alone(
    jobs: SqlJobStore, person: Person, stranger: Person
) -> None:
    a, hers, b = (add(jobs, who, str(n)) for n, who in enumerate([person, stranger, person]))
    urgent = jobs.add(person, NewJob(request=a_request(), key="urgent", first=True), 100)
    assert [job.id for job in jobs.queue(person)] == [urgent.id, a.id, b.id]
    assert order(jobs) == [urgent.id, hers.id, a.id, b.id], "nobody else has another place"
    alone = jobs.add(stranger, NewJob(request=a_request(), key="2", first=True), 100)
    assert [job.id for job in jobs.queue(stranger)] == [alone.id, hers.id]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
          max_examples=20)  # fmt: skip
@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))), max_size=6))
def test_any_row_of_moves_keeps_the_jobs_and_the_places(
    jobs: SqlJobStore, person: Person, moves: list[tuple[int, int | None]]
) -> None:
    for job in jobs.queue(person):
        jobs.request_cancel(person, job.id)
    mine = [add(jobs, person, f"{jobs.latest_revision().latest}-{n}") for n in range(5)]
    expected = [job.id for job in mine]
    for who, before in moves:
        moved, target = mine[who].id, None if before is None else mine[before].id
        jobs.move(person, moved, target)
        if moved != target:
            expected.remove(moved)
            expected.insert(len(expected) if target is None else expected.index(target), moved)
    assert [job.id for job in jobs.queue(person)] == expected
    assert sorted(j.place for j in jobs.queue(person)) == sorted(j.place for j in mine)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
          max_examples=15, deadline=None)  # fmt: skip
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9))
def test_jobs_start_in_the_order_that_was_told(
    jobs: SqlJobStore, person: Person, stranger: Person, queue: list[tuple[bool, bool]]
) -> None:
    """Whoever was served last in the example before begins this one behind."""
    stamp = jobs.latest_revision().latest
    for n, (mine, held) in enumerate(queue):
        job = add(jobs, person if mine else stranger, f"{stamp}-{n}")
        if held:
            jobs.hold(job, HoldReason.WEIGHTS)
    before = before_new(jobs.candidates(), jobs.served(), person.id)
    new = add(jobs, person, f"{stamp}-new")
    told = [job.id for job in in_turn(jobs.candidates(), jobs.served())]
    starts: list[str] = []
    while (chosen := pick_next(jobs.candidates(), jobs.served())) is not None:
        run = jobs.claim(chosen, PLAN)
        assert run is not None
        jobs.end(run.id, run.epoch, JobState.FAILED)
        starts.append(run.id)
    for owner in (person, stranger):
        for job in jobs.queue(owner):
            jobs.request_cancel(owner, job.id)
    assert told == starts
    assert starts.index(new.id) == before


def test_only_ones_own_waiting_jobs_are_moved_or_paused(
    jobs: SqlJobStore, person: Person, stranger: Person
) -> None:
    mine, hers, waiting = add(jobs, person, "1"), add(jobs, stranger, "2"), add(jobs, person, "3")
    for wish in (
        lambda: jobs.move(person, hers.id, None),
        lambda: jobs.move(person, mine.id, hers.id),
        lambda: jobs.pause(person, hers.id, paused=True),
    ):
        with pytest.raises(NotFound):
            wish()
    assert jobs.claim(mine, PLAN) is not None
    for wish in (
        lambda: jobs.move(person, mine.id, None),
        lambda: jobs.move(person, waiting.id, mine.id),
        lambda: jobs.pause(person, mine.id, paused=True),
    ):
        with pytest.raises(Conflict):
            wish()


def test_a_paused_job_is_not_claimed_and_its_pause_is_not_overwritten(
    jobs: SqlJobStore, person: Person
) -> None:
    job = add(jobs, person, "1")
    jobs.pause(person, job.id, paused=True)
    # The dispatcher looked before the pause: what it thinks now must not undo it.
    jobs.hold(job, HoldReason.WEIGHTS)
    assert jobs.claim(job, PLAN) is None
    assert jobs.get(person, job.id).hold is HoldReason.PAUSED
    jobs.pause(person, job.id, paused=False)
    assert jobs.claim(jobs.get(person, job.id), PLAN) is not None
    assert [event.text for event in jobs.story(person, job.id)][1:3] == [
        "Paused.", "Waits no longer.",
    ]  # fmt: skip


def test_a_paused_queue_holds_its_person_only_and_what_runs_goes_on(
    jobs: SqlJobStore, person: Person, stranger: Person
) -> None:
    first, second = add(jobs, person, "1"), add(jobs, person, "2")
    hers = add(jobs, stranger, "3")
    run = jobs.claim(first, PLAN)
    assert run is not None
    jobs.pause_queue(person, paused=True)
    assert jobs.is_queue_paused(person)
    assert not jobs.is_queue_paused(stranger)
    assert order(jobs) == [hers.id]
    assert jobs.claim(second, PLAN) is None
    assert jobs.record(run.id, run.epoch, Progress(stage=Stage.TEXT))
    jobs.pause_queue(person, paused=False)
    assert order(jobs) == [second.id, hers.id]


def test_the_list_of_what_ended_is_paged_by_its_end_and_filtered(
    jobs: SqlJobStore, person: Person, clock: SetClock
) -> None:
    mine = [add(jobs, person, str(n)) for n in range(6)]
    for job in reversed(mine):
        run = jobs.claim(job, PLAN)
        assert run is not None
        state = JobState.FAILED if job.number % 2 else JobState.CANCELLED
        assert jobs.end(run.id, run.epoch, state)
    assert [job.number for job in jobs.ended(person)] == [1, 2, 3, 4, 5, 6]
    first = jobs.ended(person, limit=4)
    assert [job.number for job in jobs.ended(person, before=first[-1])] == [5, 6]
    failed = jobs.ended(person, {JobState.FAILED}, limit=2)
    assert [job.number for job in failed] == [1, 3]
    assert [job.number for job in jobs.ended(person, {JobState.FAILED}, failed[-1])] == [5]
    jobs.remove(person, mine[0].id)
    assert jobs.ended(person)[0].number == 2


def test_two_that_end_in_the_same_moment_are_both_listed(
    jobs: SqlJobStore, person: Person, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    for number in range(3):
        jobs.request_cancel(person, add(jobs, person, str(number)).id)
    seen: list[int] = []
    last = None
    while page := jobs.ended(person, before=last, limit=1):
        last = page[-1]
        seen.append(last.number)
    assert seen == [3, 2, 1]


def test_progress_moves_the_revision_but_not_that_of_the_lists(
    jobs: SqlJobStore, person: Person
) -> None:
    run = jobs.claim(add(jobs, person, "1"), PLAN)
    assert run is not None
    assert jobs.record(run.id, run.epoch, Progress(stage=Stage.DENOISING, done=1, total=8))
    before = jobs.latest_revision()
    assert jobs.record(run.id, run.epoch, Progress(stage=Stage.DENOISING, done=2, total=8))
    after = jobs.latest_revision()
    assert (after.latest > before.latest, after.lists) == (True, before.lists)
    assert jobs.end(run.id, run.epoch, JobState.CANCELLED)
    assert jobs.latest_revision().lists > after.lists


@pytest.mark.parametrize("held", [HoldReason.PAUSED, HoldReason.WEIGHTS])
def test_held_jobs_never_hide_the_one_that_could_start(
    jobs: SqlJobStore, person: Person, held: HoldReason
) -> None:
    for number in range(CANDIDATES_PER_PERSON + 1):
        jobs.hold(add(jobs, person, str(number)), held)
    last = add(jobs, person, "last")
    assert last.id in order(jobs)
