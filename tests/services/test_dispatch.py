"""The dispatcher's rules, over the real store and a scripted executor."""

import errno
import os
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from tests.services.conftest import Add, World, done
from tests.values import a_request
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.events import (
    Advanced,
    Alive,
    Cancelled,
    Crashed,
    Failed,
    Resumed,
    Stage,
)
from wan22_app.domain.job import HoldReason, Job, JobState
from wan22_app.domain.lighter import gist
from wan22_app.domain.plan import Device
from wan22_app.domain.relief import Relief
from wan22_app.ports import NewJob
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.flight import pixels_of
from wan22_app.services.story import resumed

WHY = Problem(code="x", what="It failed.", cure="Try again.")


def crash(job: Job) -> Crashed:
    return Crashed(job_id=job.id, exit_code=-9, log="last words")


def step(job: Job, done_steps: int, stage: Stage = Stage.DENOISING) -> Advanced:
    return Advanced(job_id=job.id, stage=stage, done=done_steps, total=4, seconds=1.0)


def say(world: World, dispatcher: Dispatcher, *events: object) -> None:
    world.executor.runs[-1].script.extend(events)  # type: ignore[arg-type]
    dispatcher.tick()


def needed(world: World, job: Job) -> Relief:
    """What the machine has learned about such a job."""
    device = world.probe.device().name
    return world.experience.needed(job.request.model, device, pixels_of(job))


def test_what_an_earlier_run_had_computed_is_told_and_forgotten_with_success(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    assert world.executor.runs[0].work.latents == f"/latents/{job.id}.safetensors"
    say(world, dispatcher, Resumed(job_id=job.id, step=3, total=8), step(job, 4))
    texts = [event.text for event in world.jobs.story(person, job.id)]
    assert "Goes on after step 3 of 8 of an earlier run." in texts
    assert world.latents.forgotten == []
    say(world, dispatcher, done(job))
    assert world.latents.forgotten == [job.id]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Resumed(job_id="", step=8, total=8), "only decoding is left"),
        (Resumed(job_id="", step=0, total=8, changed=("versions", "weights")),
         "changed since an earlier run: versions of libraries, the weights"),
        (Resumed(job_id="", step=0, total=8, changed=("file",)), "cannot be read"),
    ],
)  # fmt: skip
def test_what_became_of_them_is_a_sentence(event: Resumed, text: str) -> None:
    assert text in resumed(event)


def test_while_draining_what_runs_is_finished_and_nothing_is_started(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    first, second = add("1"), add("2")
    dispatcher.tick()
    dispatcher.drain()
    assert not dispatcher.idle
    say(world, dispatcher, done(first))
    dispatcher.tick()
    assert dispatcher.idle
    assert len(world.executor.runs) == 1
    assert world.jobs.get(person, first.id).state is JobState.SUCCEEDED
    assert world.jobs.get(person, second.id).state is JobState.QUEUED


def silent_for(world: World, dispatcher: Dispatcher, seconds: float) -> None:
    """Time passes under the dispatcher's eyes."""
    end = world.clock.seconds + seconds
    while world.clock.seconds < end:
        world.clock.seconds += 50
        dispatcher.tick()


def test_a_run_without_a_sign_of_life_is_ended_and_its_job_goes_on(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    run = world.executor.runs[0]
    say(world, dispatcher, step(job, 1))
    silent_for(world, dispatcher, 850)
    assert not run.killed
    say(world, dispatcher, Alive(job_id=job.id))
    silent_for(world, dispatcher, 850)
    assert not run.killed, "one block in time is enough"
    silent_for(world, dispatcher, 200)
    assert run.killed
    say(world, dispatcher, crash(job))
    last = [event for event in world.jobs.story(person, job.id) if event.kind == "requeued"][-1]
    assert last.problem is not None
    assert last.problem.code == "engine_stuck"
    assert last.problem.evidence == "last words"
    assert world.executor.runs[-1].work.plan.tile is None, "a hang is no want of memory"


def test_silence_while_the_machine_slept_is_forgiven(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, step(job, 1))
    world.clock.seconds += 8 * 3600
    dispatcher.tick()
    assert not world.executor.runs[0].killed


def memory_short(job: Job) -> Failed:
    return Failed(job_id=job.id, kind="memory", problem=WHY)


def test_a_decode_that_ran_out_of_memory_is_tried_with_smaller_tiles(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    tiles = []
    for _ in range(2):
        say(world, dispatcher, step(job, 1, Stage.DECODING), memory_short(job))
        tiles.append(world.executor.runs[-1].work.plan.tile)
    assert tiles == [96, 64]
    assert world.jobs.get(person, job.id).attempts == 1, "a verdict is no death"
    last = [event for event in world.jobs.story(person, job.id) if event.kind == "requeued"][-1]
    assert last.problem is not None
    assert "tiles of 64 pixels" in last.problem.cure
    assert world.executor.runs[-1].work.request == job.request, "the person's own words stay"


@pytest.mark.parametrize(
    ("code", "placement"), [("out_of_vram", ("model", "all")), ("out_of_ram", ("none", "one"))]
)
def test_each_memory_has_its_own_cure(
    world: World,
    dispatcher: Dispatcher,
    add: Add,
    person: Person,
    code: str,
    placement: tuple[str, str],
) -> None:
    world.probe.card = Device(kind="cuda", name="test", total_bytes=10**12)
    job = add("1")
    dispatcher.tick()
    problem = Problem(code=code, what="x")
    short = Failed(job_id=job.id, kind="memory", problem=problem)
    say(world, dispatcher, step(job, 1), short)
    plan = world.executor.runs[-1].work.plan
    assert (plan.offload, plan.keep) == placement
    assert world.jobs.get(person, job.id).attempts == 1, "a verdict is no death"


def test_when_nothing_is_left_to_try_the_job_fails(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    for _ in range(4):
        say(world, dispatcher, step(job, 1, Stage.DECODING), memory_short(job))
    assert world.jobs.get(person, job.id).state is JobState.FAILED
    assert needed(world, job) == Relief()


MADE_LESS = [
    "bf16", "bf16 and int8 weights", "96×96, bf16 and int8 weights", "72×72, bf16 and int8 weights",
    "72×72, 13 frames, bf16 and int8 weights", "72×72, 9 frames, bf16 and int8 weights",
]  # fmt: skip


def until_nothing_helps(world: World, dispatcher: Dispatcher, job: Job, stage: Stage) -> None:
    """Memory runs out in a stage of each run, until the job has ended."""
    runs = 0
    dispatcher.tick()
    while len(world.executor.runs) > runs:
        runs = len(world.executor.runs)
        say(world, dispatcher, step(job, 1, stage), memory_short(job))


@pytest.mark.parametrize("stage", [Stage.IMAGE, Stage.DENOISING, Stage.DECODING])
@pytest.mark.parametrize("card", [True, False])
def test_without_consent_nothing_that_shows_is_ever_changed(
    world: World, dispatcher: Dispatcher, add: Add, person: Person, stage: Stage, card: bool
) -> None:
    if card:
        world.probe.card = Device(kind="cuda", name="test", total_bytes=10**12)
    job = add("1")
    until_nothing_helps(world, dispatcher, job, stage)
    failed = world.jobs.get(person, job.id)
    assert failed.state is JobState.FAILED
    assert (failed.request, failed.asked) == (job.request, None)
    assert {run.work.request for run in world.executor.runs} == {job.request}
    assert {run.work.plan.precision for run in world.executor.runs} == {job.request.precision}


def with_consent(world: World, person: Person) -> Job:
    request = a_request(width=128, height=128, frames=17, may_reduce="true")
    return world.jobs.add(person, NewJob(request=request, key="consent"), 100)


def test_with_consent_less_is_tried_step_by_step_until_too_little_would_be_left(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = with_consent(world, person)
    until_nothing_helps(world, dispatcher, job, Stage.DENOISING)
    made = [run.work.request for run in world.executor.runs]
    assert [gist(job.request, each) for each in made] == ["", "", *MADE_LESS]
    failed = world.jobs.get(person, job.id)
    assert (failed.state, failed.asked, failed.attempts) == (JobState.FAILED, job.request, 1)
    story = [event for event in world.jobs.story(person, job.id) if event.kind == "requeued"]
    cures = [event.problem.cure for event in story if event.problem is not None]
    assert cures[0] == "Tried again by itself with one part of the model in memory at a time."
    assert cures[2] == (
        "Tried again by itself with bf16 instead of fp32 and int8 weights instead of unquantized "
        "weights, as you allowed."
    )


def test_what_costs_nothing_comes_first_and_the_video_says_what_was_changed(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = with_consent(world, person)
    dispatcher.tick()
    for _ in range(4):
        say(world, dispatcher, step(job, 1, Stage.DECODING), memory_short(job))
    works = [run.work for run in world.executor.runs]
    assert [work.plan.tile for work in works] == [None, 96, 64, 64, 64]
    assert [work.plan.keep for work in works] == ["all", "all", "all", "one", "one"]
    assert [work.asked for work in works] == [None, None, None, None, job.request]
    assert (works[-1].request.width, works[-1].request.precision) == (96, "fp32")
    say(world, dispatcher, done(job))
    output = world.outputs.get(person, job.id)
    assert (output.request, output.asked) == (works[-1].request, job.request)


def test_what_worked_is_remembered_for_the_next_job(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    first, _second = add("1"), add("2")
    dispatcher.tick()
    say(world, dispatcher, step(first, 1, Stage.DECODING), memory_short(first))
    say(world, dispatcher, done(first))
    assert needed(world, first).tile == 96
    assert world.executor.runs[-1].work.plan.tile == 96


def test_a_kill_for_want_of_main_memory_counts_and_is_eased_but_teaches_nothing(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, step(job, 1, Stage.DECODING), crash(job))
    assert world.executor.runs[-1].work.plan.tile == 96
    assert world.jobs.get(person, job.id).attempts == 2
    say(world, dispatcher, done(job))
    assert needed(world, job) == Relief()


def test_three_deaths_set_a_job_aside_however_much_could_be_eased(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    for _ in range(3):
        say(world, dispatcher, step(job, 1, Stage.DECODING), crash(job))
    assert world.jobs.get(person, job.id).state is JobState.QUARANTINED


def test_a_failed_job_keeps_what_it_had_computed(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, Failed(job_id=job.id, kind="internal", problem=WHY))
    assert world.latents.forgotten == []


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
    before = world.jobs.latest_revision().latest
    say(world, dispatcher, *(step(job, n) for n in range(4)))
    assert world.jobs.latest_revision().latest == before + 1, "one write for a burst"
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
    world.clock.advance(5.1)
    dispatcher.tick()
    assert len(world.executor.runs) == 2


@pytest.mark.parametrize(
    ("verdict", "end"),
    [
        (Failed(job_id="", kind="device", problem=WHY, fatal=True), JobState.FAILED),
        (Crashed(job_id="", exit_code=1, log="ImportError"), JobState.QUARANTINED),
    ],
    ids=["the card is lost", "the engine cannot start"],
)
def test_what_may_pass_is_tried_twice_more_and_each_time_later(
    world: World,
    dispatcher: Dispatcher,
    add: Add,
    person: Person,
    verdict: Failed | Crashed,
    end: JobState,
) -> None:
    job = add("1")
    dispatcher.tick()
    for wait in (5, 30):
        say(world, dispatcher, verdict.model_copy(update={"job_id": job.id}))
        told = world.jobs.story(person, job.id)[-1].problem
        assert told is not None
        assert f"in {wait} s" in told.cure
        runs = len(world.executor.runs)
        # The clock on the wall is set; the wait is measured by the other one.
        world.clock.time += timedelta(days=1)
        world.clock.seconds += wait - 0.1
        dispatcher.tick()
        assert len(world.executor.runs) == runs, "not yet"
        world.clock.seconds += 0.2
        dispatcher.tick()
        assert len(world.executor.runs) == runs + 1
    say(world, dispatcher, verdict.model_copy(update={"job_id": job.id}))
    assert world.jobs.get(person, job.id).state is end
    assert len(world.executor.runs) == 3, "bounded"


def test_a_kill_from_outside_waits_for_nothing(
    world: World, dispatcher: Dispatcher, add: Add
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, crash(job))
    assert len(world.executor.runs) == 2


@pytest.mark.parametrize("kind", ["request", "weights", "internal"])
def test_what_will_not_pass_is_not_tried_again(
    world: World, dispatcher: Dispatcher, add: Add, kind: str
) -> None:
    job = add("1")
    dispatcher.tick()
    say(world, dispatcher, Failed(job_id=job.id, kind=kind, problem=WHY))  # type: ignore[arg-type]
    world.clock.advance(1000)
    dispatcher.tick()
    assert len(world.executor.runs) == 1


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


def test_a_verdict_that_cannot_be_written_is_written_later(
    world: World, dispatcher: Dispatcher, add: Add, person: Person, database: Engine
) -> None:
    job, behind = add("1"), add("2")
    dispatcher.tick()
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON output BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    say(world, dispatcher, done(job))
    assert world.jobs.get(person, job.id).state is JobState.RUNNING
    assert not dispatcher.idle
    with database.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    dispatcher.tick()
    assert world.jobs.get(person, job.id).state is JobState.SUCCEEDED
    assert world.outputs.get(person, job.id).video == f"{job.id}.mp4"
    assert [run.job_id for run in world.executor.runs] == [job.id, behind.id], "each runs once"


@pytest.mark.parametrize(
    ("error", "hold", "attempts"),
    [(errno.ENOSPC, HoldReason.SPACE, 0), (errno.ENOENT, HoldReason.NONE, 1)],
)
def test_a_disk_that_refuses_the_finished_video_puts_the_job_back(
    world: World,
    dispatcher: Dispatcher,
    add: Add,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    hold: HoldReason,
    attempts: int,
) -> None:
    job = add("1")
    dispatcher.tick()
    world.jobs.pause_queue(person, paused=True)

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(world.files, "publish", refuse)
    say(world, dispatcher, done(job))
    back = world.jobs.get(person, job.id)
    assert (back.state, back.hold, back.attempts) == (JobState.QUEUED, hold, attempts)


def test_an_engine_that_cannot_be_started_is_tried_again(
    world: World,
    dispatcher: Dispatcher,
    add: Add,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = add("1")

    def refuse(*_: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "start", refuse)
        dispatcher.tick()
    back = world.jobs.get(person, job.id)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)
    assert world.jobs.story(person, job.id)[-1].problem is not None
    world.clock.advance(6)
    dispatcher.tick()
    assert [run.job_id for run in world.executor.runs] == [job.id]


def test_a_stop_ends_the_engines_even_where_nothing_can_be_written(
    world: World, dispatcher: Dispatcher, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("1")
    dispatcher.tick()

    def full(*_: object, **__: object) -> bool:
        raise OSError("disk full")

    monkeypatch.setattr(world.jobs, "requeue", full)
    with pytest.raises(OSError, match="disk full"):
        dispatcher.stop()
    assert world.executor.closed
    assert world.executor.runs[0].killed


def work_for(world: World, dispatcher: Dispatcher, job: Job, seconds: float) -> None:
    """The started job takes this long and succeeds."""
    world.clock.advance(seconds)
    say(world, dispatcher, done(job))


def test_who_has_used_up_the_minutes_waits_and_lets_others_pass(
    world: World, add: Add, person: Person, stranger: Person
) -> None:
    world.daily_minutes = 10.0
    dispatcher = world.dispatcher()
    first, second, third = add("1"), add("2"), add("3")
    dispatcher.tick()
    work_for(world, dispatcher, first, 540)
    assert world.jobs.get(person, second.id).state is JobState.RUNNING, "a minute is left"
    work_for(world, dispatcher, second, 90)
    assert world.jobs.get(person, third.id).hold is HoldReason.MINUTES
    request = a_request(width=128, height=128)
    other = world.jobs.add(stranger, NewJob(request=request, key="x"), 10)
    dispatcher.tick()
    assert world.jobs.get(stranger, other.id).state is JobState.RUNNING
    work_for(world, dispatcher, other, 24 * 3600 - 90)
    assert world.jobs.get(person, third.id).state is JobState.RUNNING, "the first lies behind"


def test_without_a_limit_nobody_asks_how_long_anything_took(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    first, second = add("1"), add("2")
    dispatcher.tick()
    work_for(world, dispatcher, first, 23 * 3600)
    assert world.jobs.get(person, second.id).state is JobState.RUNNING


def test_latents_are_pruned_each_hour_but_those_of_a_paused_person(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    world.jobs.pause_queue(person, paused=True)
    dispatcher.tick()
    assert world.latents.spared == {job.id}
    world.latents.spared = ()
    world.clock.advance(3599)
    dispatcher.tick()
    assert world.latents.spared == ()
    world.clock.advance(2)
    dispatcher.tick()
    assert world.latents.spared == {job.id}
