"""Another try of what has ended: a new job with its parent, and nothing else is touched."""

from collections.abc import Callable

import pytest

from tests.services.conftest import World, done
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.errors import Conflict, NotFound, Problem
from wan22_app.domain.events import Advanced, Crashed, Failed, Stage
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import Device, MemoryPlan
from wan22_app.services.dispatch import Dispatcher

STRANGER = Person(id="eve", name="Eve")
FIELDS: dict[str, object] = {
    "model": "demo-t2v", "prompt": "a red ball", "width": 128, "height": 128, "frames": 17,
}  # fmt: skip
Try = Callable[[Person, str, str], Job]


def submit(world: World, person: Person, **fields: object) -> Job:
    return world.submission().submit(person, {**FIELDS, **fields}, "k")


def ended(world: World, dispatcher: Dispatcher, job: Job, stage: Stage, code: str) -> Job:
    """The job after a run that failed in a stage."""
    dispatcher.tick()
    world.executor.runs[-1].script += [
        Advanced(job_id=job.id, stage=stage, done=1, total=4, seconds=1.0),
        Failed(job_id=job.id, kind="internal", problem=Problem(code=code, what="It failed.")),
    ]
    dispatcher.tick()
    old = world.jobs.get(Person(id=job.owner, name=""), job.id)
    assert old.state is JobState.FAILED
    return old


def decoding_again(world: World, dispatcher: Dispatcher, person: Person) -> tuple[Job, Job]:
    """A job that failed in its decoder, and the one that runs to decode it again."""
    old = ended(world, dispatcher, submit(world, person), Stage.DECODING, "engine_error")
    world.latents.denoised.add(old.id)
    child = world.retrying().decode_again(person, old.id)
    dispatcher.tick()
    return old, child


def told(world: World, person: Person, job: Job) -> str:
    return world.jobs.story(person, job.id)[0].text


def test_another_try_is_a_new_job_with_a_parent(world: World, person: Person) -> None:
    job = submit(world, person, seed="7")
    again = world.retrying().again
    with pytest.raises(Conflict):
        again(person, job.id)
    world.jobs.request_cancel(person, job.id)
    before = world.jobs.get(person, job.id)
    new = again(person, job.id)
    assert (new.parent_id, new.request, new.state) == (job.id, job.request, JobState.QUEUED)
    assert again(person, job.id).id == new.id, "two clicks are one job"
    assert world.jobs.get(person, job.id) == before, "final is final"
    assert told(world, person, new) == "Queued for another try."
    world.jobs.request_cancel(person, new.id)
    third = again(person, job.id)
    assert third.id != new.id, "once that has ended, a click is a new wish"
    assert again(person, job.id).id == third.id
    with pytest.raises(NotFound):
        again(STRANGER, job.id)


@pytest.mark.parametrize(
    ("code", "stage", "changed"),
    [
        ("out_of_vram", Stage.DENOISING, {"precision": "bf16"}),
        ("out_of_ram", Stage.DECODING, {"width": 96, "height": 96}),
        ("engine_starved", Stage.DECODING, {"width": 96, "height": 96}),
        ("engine_error", Stage.DENOISING, None),
        ("lora_unusable", Stage.LOADING, None),
    ],
)
def test_a_failure_for_want_of_memory_suggests_a_change_and_no_other_does(
    world: World,
    dispatcher: Dispatcher,
    person: Person,
    code: str,
    stage: Stage,
    changed: dict[str, object] | None,
) -> None:
    old = ended(world, dispatcher, submit(world, person), stage, code)
    retrying = world.retrying()
    if changed is None:
        assert retrying.chances(old).lighter is None
        with pytest.raises(Conflict):
            retrying.again_lighter(person, old.id)
        return
    new = retrying.again_lighter(person, old.id)
    assert new.request == old.request.model_copy(update=changed)
    assert (new.parent_id, new.asked) == (old.id, None)
    assert " instead of " in told(world, person, new)


def test_what_never_fitted_suggests_the_first_change_that_does(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    world.probe.card = Device(kind="cuda", name="big", total_bytes=10**12)
    job = submit(world, person, width=512, height=512, tile=512, offload="none")
    # Meanwhile another card was put in.
    world.probe.card = Device(kind="cuda", name="small", total_bytes=2 * 10**9)
    dispatcher.tick()
    old = world.jobs.get(person, job.id)
    assert old.problem is not None
    assert old.problem.code == "wont_fit_vram"
    found = world.retrying().chances(old).lighter
    assert found is not None
    assert (found.width, found.tile, found.offload) == (512, 128, "auto"), "nothing is given up"
    plan = plan_memory(DEMO_T2V, found, world.probe.card, world.probe.host())
    assert isinstance(plan, MemoryPlan)
    world.probe.card = Device(kind="cuda", name="none at all", total_bytes=1000)
    assert world.retrying().chances(old).lighter is None


def test_a_decode_is_done_again_with_the_parents_latents_and_smaller_tiles(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = submit(world, person)
    old = ended(world, dispatcher, job, Stage.DECODING, "out_of_vram")
    retrying = world.retrying()
    assert not retrying.chances(old).decode
    with pytest.raises(Conflict, match="no longer here"):
        retrying.decode_again(person, old.id)
    world.latents.denoised.add(old.id)
    assert retrying.chances(old).decode
    new = retrying.decode_again(person, old.id)
    assert (new.parent_id, new.request) == (old.id, old.request)
    dispatcher.tick()
    work = world.executor.runs[-1].work
    assert work.latents == f"/latents/{old.id}.safetensors"
    assert (work.parent, work.plan.tile) == (old.id, 96)


def test_a_grandchild_decodes_the_same_latents_which_go_with_the_first_video(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = submit(world, person)
    old = ended(world, dispatcher, job, Stage.DECODING, "engine_error")
    world.latents.denoised.add(old.id)
    retrying = world.retrying()
    child = retrying.decode_again(person, old.id)
    failed = ended(world, dispatcher, child, Stage.DECODING, "engine_error")
    cancelled = retrying.decode_again(person, failed.id)
    world.jobs.request_cancel(person, cancelled.id)
    grandchild = retrying.decode_again(person, failed.id)
    assert grandchild.parent_id == child.id
    world.dispatcher().tick()
    assert old.id in world.latents.spared, "they wait for a job"
    assert world.latents.forgotten == []
    assert world.executor.runs[-1].work.latents == f"/latents/{old.id}.safetensors"
    assert world.executor.runs[-1].work.plan.tile is None, "memory was not the cause"


def test_with_the_video_its_latents_go(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    old, child = decoding_again(world, dispatcher, person)
    world.executor.runs[-1].script.append(done(child))
    dispatcher.tick()
    assert world.jobs.get(person, child.id).state is JobState.SUCCEEDED
    assert world.latents.forgotten == [old.id]


def test_a_running_decode_that_is_cancelled_leaves_the_parents_latents(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    old, child = decoding_again(world, dispatcher, person)
    world.jobs.request_cancel(person, child.id)
    dispatcher.tick()
    dispatcher.tick()
    assert world.jobs.get(person, child.id).state is JobState.CANCELLED
    assert old.id not in world.latents.forgotten


def test_nothing_but_a_failure_offers_more(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = submit(world, person)
    world.latents.denoised.add(job.id)
    world.jobs.request_cancel(person, job.id)
    chances = world.retrying().chances(world.jobs.get(person, job.id))
    assert (chances.lighter, chances.decode) == (None, False)


def test_three_deaths_while_decoding_can_be_decoded_again(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    job = submit(world, person)
    dispatcher.tick()
    for _ in range(3):
        world.executor.runs[-1].script += [
            Advanced(job_id=job.id, stage=Stage.DECODING, done=1, total=4, seconds=1.0),
            Crashed(job_id=job.id, exit_code=-9, log=""),
        ]
        dispatcher.tick()
    world.latents.denoised.add(job.id)
    old = world.jobs.get(person, job.id)
    assert old.state is JobState.QUARANTINED
    assert old.plan is not None
    tile = old.plan.tile
    new = world.retrying().decode_again(person, old.id)
    assert tile is not None
    assert new.relief.tile is not None
    assert new.relief.tile <= tile
