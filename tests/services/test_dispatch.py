"""The dispatcher's rules, over the real store and a scripted executor."""

import pytest

from tests.services.conftest import Add, World
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.events import Advanced, Cancelled, Crashed, Done, Failed, Stage
from wan22_app.domain.job import HoldReason, Job, JobState
from wan22_app.domain.memory import Device
from wan22_app.services.dispatch import Dispatcher

WHY = Problem(code="x", what="It failed.", cure="Try again.")


def done(job: Job) -> Done:
    return Done(
        job_id=job.id, video="v", poster="p", width=64, height=64, frames=5, fps=8,
        latents_sha256="0" * 64, seconds={"denoising": 1.0},
    )  # fmt: skip


def crash(job: Job) -> Crashed:
    return Crashed(job_id=job.id, exit_code=-9, log="last words")


def step(job: Job, done_steps: int, stage: Stage = Stage.DENOISING) -> Advanced:
    return Advanced(job_id=job.id, stage=stage, done=done_steps, total=4, seconds=1.0)


def say(world: World, dispatcher: Dispatcher, *events: object) -> None:
    world.executor.runs[-1].script.extend(events)  # type: ignore[arg-type]
    dispatcher.tick()


def test_first_in_first_out_one_at_a_time(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    first, second = add("1"), add("2")
    dispatcher.tick()
    dispatcher.tick()
    assert [run.job_id for run in world.executor.runs] == [first.id]
    say(world, dispatcher, done(first))
    assert [run.job_id for run in world.executor.runs] == [first.id, second.id]
    assert world.jobs.get(person, first.id).state is JobState.SUCCEEDED
    assert world.outputs.get(person, first.id).video == f"{first.id}.mp4"


def test_the_work_carries_everything_by_absolute_path(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    job = add("1")
    dispatcher.tick()
    work = world.executor.runs[0].work
    assert (work.job_id, work.epoch) == (job.id, 1)
    assert work.entry.folder == "/models/demo-t2v"
    assert work.staging == "/staging"
    assert work.request == job.request


def test_steps_are_coalesced_but_the_newest_always_arrives(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    before = world.jobs.latest_revision()
    say(world, dispatcher, *(step(job, n) for n in range(4)))
    assert world.jobs.latest_revision() == before + 1, "one write for a burst"
    assert world.jobs.get(person, job.id).progress.done == 0  # type: ignore[union-attr]
    world.clock.advance(0.3)
    dispatcher.tick()
    assert world.jobs.get(person, job.id).progress.done == 3  # type: ignore[union-attr]


def test_a_new_stage_is_written_at_once(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, step(job, 4), step(job, 0, Stage.DECODING))
    progress = world.jobs.get(person, job.id).progress
    assert progress is not None
    assert progress.stage is Stage.DECODING


def test_a_running_job_is_cancelled_once(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    world.jobs.request_cancel(person, job.id)
    dispatcher.tick()
    assert world.executor.runs[0].cancelled
    dispatcher.tick()
    assert world.jobs.get(person, job.id).state is JobState.CANCELLED
    assert world.files.discarded == [job.id]
    assert world.files.published == []


def test_a_cancel_that_loses_the_race_leaves_one_final_state(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    world.jobs.request_cancel(person, job.id)
    say(world, dispatcher, done(job), Cancelled(job_id=job.id))
    dispatcher.tick()
    assert world.jobs.get(person, job.id).state is JobState.SUCCEEDED
    assert [event.kind for event in world.jobs.story(person, job.id)].count("cancelled") == 0


def test_three_deaths_set_a_job_aside_and_the_queue_goes_on(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    poison, sound = add("1"), add("2")
    dispatcher.tick()
    for _ in range(3):
        assert world.executor.runs[-1].job_id == poison.id
        say(world, dispatcher, step(poison, 1), crash(poison))
    aside = world.jobs.get(person, poison.id)
    assert aside.state is JobState.QUARANTINED
    assert aside.problem is not None
    assert "exit -9" in aside.problem.what
    assert "denoising" in aside.problem.what
    assert aside.problem.evidence == "last words"
    assert world.executor.runs[-1].job_id == sound.id


@pytest.mark.parametrize("kind", ["request", "memory", "weights", "internal"])
def test_a_failure_ends_the_job_with_its_reason(
    world: World, dispatcher: Dispatcher, add: Add, person: Person, kind: str
) -> None:
    job, after = add("1"), add("2")
    dispatcher.tick()
    say(world, dispatcher, Failed(job_id=job.id, kind=kind, problem=WHY))  # type: ignore[arg-type]
    failed = world.jobs.get(person, job.id)
    assert (failed.state, failed.problem) == (JobState.FAILED, WHY)
    assert world.executor.runs[-1].job_id == after.id


def test_a_full_disk_puts_the_job_back_and_it_goes_on_by_itself(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    world.files.refuses = UserError(Problem(code="disk_full", what="Full."))
    say(world, dispatcher, Failed(job_id=job.id, kind="storage", problem=WHY))
    waiting = world.jobs.get(person, job.id)
    assert (waiting.state, waiting.hold, waiting.attempts) == (
        JobState.QUEUED,
        HoldReason.SPACE,
        0,
    )
    world.clock.advance(11)
    dispatcher.tick()
    assert len(world.executor.runs) == 1
    world.files.refuses = None
    dispatcher.tick()
    assert len(world.executor.runs) == 2


def test_a_job_without_weights_waits_and_lets_others_pass(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    world.library.missing = {"demo-t2v"}
    dispatcher.tick()
    assert world.jobs.get(person, job.id).hold is HoldReason.WEIGHTS
    assert world.executor.runs == []
    world.library.missing = set()
    dispatcher.tick()
    assert world.jobs.get(person, job.id).state is JobState.RUNNING


def test_a_job_that_cannot_fit_is_refused_with_numbers(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    world.probe.card = Device(kind="cuda", name="tiny", total_bytes=1000)
    job, after = add("1"), add("2")
    dispatcher.tick()
    for each in (job, after):
        refused = world.jobs.get(person, each.id)
        assert refused.state is JobState.FAILED
        assert refused.problem is not None
        assert refused.problem.code == "wont_fit_vram"


def test_a_broken_video_is_never_published(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    world.files.broken = UserError(WHY)
    say(world, dispatcher, done(job))
    assert world.jobs.get(person, job.id).state is JobState.FAILED
    assert list(world.outputs.page(person)) == []


def test_the_next_dispatcher_waits_for_the_slot_then_rescues(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    heir = world.dispatcher()
    world.executor.free_slot = False
    heir.tick()
    assert world.jobs.get(person, job.id).epoch == 1, "the old engine may still write"
    world.executor.free_slot = True
    heir.tick()
    rescued = world.jobs.get(person, job.id)
    assert (rescued.state, rescued.epoch, rescued.attempts) == (JobState.RUNNING, 2, 2)


def test_a_stale_dispatcher_publishes_nothing(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    stale = world.executor.runs[-1]
    heir = world.dispatcher()
    heir.tick()
    stale.script.append(done(job))
    dispatcher.tick()
    assert world.jobs.get(person, job.id).state is JobState.RUNNING
    assert world.files.published == []
    say(world, heir, done(job))
    assert world.files.published == [job.id]
    assert world.jobs.get(person, job.id).state is JobState.SUCCEEDED


def test_a_polite_stop_gives_the_job_back_without_counting(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    dispatcher.stop()
    back = world.jobs.get(person, job.id)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)
    assert world.executor.runs[0].killed
    assert world.executor.closed


def test_a_fault_of_the_card_makes_the_next_start_wait(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    job = add("1")
    add("2")
    dispatcher.tick()
    fault = Failed(job_id=job.id, kind="internal", problem=WHY, fatal=True)
    say(world, dispatcher, fault)
    assert len(world.executor.runs) == 1
    world.clock.advance(1.1)
    dispatcher.tick()
    assert len(world.executor.runs) == 2


def test_the_card_is_freed_once_for_each_wish_and_only_when_idle(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    dispatcher.tick()
    world.jobs.wish_free_card()
    dispatcher.tick()
    dispatcher.tick()
    assert world.executor.freed == 1
    add("1")
    dispatcher.tick()
    world.jobs.wish_free_card()
    dispatcher.tick()
    assert world.executor.freed == 1
