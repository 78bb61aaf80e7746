"""Drafts from the form to the video, over the real store."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.services.conftest import World, done
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, InvalidRequest, NotFound, Problem
from wan22_app.domain.events import Cancelled, Drafted
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.relief import Relief
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.drafts import Drafts

STRANGER = Person(id="eve", name="Eve")
FIELDS: dict[str, object] = {
    "model": "demo-t2v", "prompt": "a red ball", "width": 128, "height": 128, "frames": 17,
    "steps": "20", "seed": "7", "count": "2", "drafts": "True",
}  # fmt: skip


@pytest.fixture
def drafts(world: World) -> Drafts:
    return Drafts(world.jobs, world.latents, world.submission())


def submit(world: World, person: Person, **fields: object) -> list[Job]:
    return list(world.submission().submit_batch(person, {**FIELDS, **fields}, "key-of-it"))


def drafted(world: World, dispatcher: Dispatcher, job: Job) -> None:
    """The job runs and comes to its last step."""
    dispatcher.tick()
    assert world.executor.runs[-1].job_id == job.id
    verdict = Drafted(job_id=job.id, preview=f"/staging/{job.id}", step=job.until)
    world.executor.runs[-1].script.append(verdict)
    dispatcher.tick()


def test_a_quarter_of_the_steps_is_computed_and_shown(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    jobs = submit(world, person)
    assert [(job.request.seed, job.until, job.request.steps) for job in jobs] == [
        (7, 5, 20),
        (8, 5, 20),
    ]
    told = [world.jobs.story(person, job.id)[0].text for job in jobs]
    assert told[1] == "Queued as a draft: 5 of 20 steps. 2 of 2 that differ in their seed."
    drafted(world, dispatcher, jobs[0])
    work = world.executor.runs[0].work
    assert (work.until, work.request.steps) == (5, 20)
    assert world.jobs.get(person, jobs[0].id).state is JobState.SUCCEEDED
    assert world.outputs.count(person) == 0, "a draft is no video"
    assert world.files.published == []
    assert world.latents.forgotten == [], "it goes on from there"
    (draft,) = drafts.undecided(person)
    assert (draft.job.id, draft.going_on) == (jobs[0].id, False)
    assert str(draft.preview.path) == f"/staging/{jobs[0].id}"
    assert drafts.undecided(STRANGER) == []


def test_a_kept_one_goes_on_from_what_it_has_computed(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1")
    drafted(world, dispatcher, job)
    with pytest.raises(NotFound):
        drafts.go_on(STRANGER, job.id)
    rest = drafts.go_on(person, job.id)
    assert (rest.until, rest.latents_of, rest.parent_id) == (0, job.id, job.id)
    plan = world.jobs.get(person, job.id).plan
    assert plan is not None
    chunk = plan.chunk
    assert rest.request == job.request.model_copy(update={"chunk": chunk}), "rounds as it did"
    assert [draft.going_on for draft in drafts.undecided(person)] == [True]
    with pytest.raises(Conflict):
        drafts.go_on(person, job.id)
    with pytest.raises(Conflict):
        drafts.discard(person, job.id)
    dispatcher.tick()
    work = world.executor.runs[-1].work
    assert (work.job_id, work.until) == (rest.id, 0)
    assert work.latents == str(world.latents.path(job.id))
    world.executor.runs[-1].script.append(done(rest))
    dispatcher.tick()
    assert world.outputs.count(person) == 1
    assert drafts.undecided(person) == [], "its latents have become a video"


def test_two_tabs_that_keep_one_draft_at_the_same_moment_make_one_job(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1")
    drafted(world, dispatcher, job)
    both_have_judged = Barrier(2)

    class Together(Drafts):
        def _finished(self, person: Person, job_id: str) -> Job:
            judged = super()._finished(person, job_id)
            both_have_judged.wait()
            return judged

    tab = Together(drafts.jobs, drafts.latents, drafts.submission)
    with ThreadPoolExecutor() as pool:
        kept = [pool.submit(tab.go_on, person, job.id) for _ in range(2)]
    assert len({one.result().id for one in kept}) == 1


def test_after_a_cancelled_rest_the_draft_is_there_again(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1")
    drafted(world, dispatcher, job)
    rest = drafts.go_on(person, job.id)
    dispatcher.tick()
    world.executor.runs[-1].script.append(Cancelled(job_id=rest.id))
    dispatcher.tick()
    assert [draft.going_on for draft in drafts.undecided(person)] == [False]
    assert drafts.go_on(person, job.id).latents_of == job.id


def test_a_discarded_one_leaves_nothing(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1")
    with pytest.raises(Conflict):
        drafts.discard(person, job.id)
    drafted(world, dispatcher, job)
    with pytest.raises(NotFound):
        drafts.discard(STRANGER, job.id)
    drafts.discard(person, job.id)
    assert world.latents.forgotten == [job.id]
    assert drafts.undecided(person) == []
    assert world.jobs.ended(person) == []


def test_what_is_no_draft_does_not_go_on(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1", drafts="False")
    assert job.until == 0
    dispatcher.tick()
    world.executor.runs[-1].script.append(done(job))
    dispatcher.tick()
    with pytest.raises(Conflict):
        drafts.go_on(person, job.id)
    assert drafts.undecided(person) == []


def test_a_draft_of_one_step_is_refused(world: World, person: Person) -> None:
    with pytest.raises(InvalidRequest) as refused:
        submit(world, person, steps="1")
    assert refused.value.problem.field == "drafts"
    verdict = world.submission().check(person, {**FIELDS, "steps": "1"})
    assert [problem.code for problem in verdict.problems] == ["draft_is_whole"]
    assert submit(world, person, steps="2")[0].until == 1


def test_a_draft_is_told_to_take_a_share_of_the_time(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    (job,) = submit(world, person, count="1", drafts="")
    dispatcher.tick()
    verdict = done(job).model_copy(update={"seconds": {"denoising": 20.0, "decoding": 7.0}})
    world.executor.runs[-1].script.append(verdict)
    dispatcher.tick()
    check = world.submission().check
    assert check(person, {**FIELDS, "drafts": "False"}).seconds == pytest.approx(27.0)
    assert check(person, FIELDS).seconds == pytest.approx(5.0)


@pytest.mark.parametrize("fault", [errno.ENOENT, errno.ENOSPC])
def test_a_preview_that_cannot_be_kept_ends_no_draft(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts, fault: int
) -> None:
    (job,) = submit(world, person, count="1")
    world.latents.faults.append(OSError(fault, os.strerror(fault)))
    drafted(world, dispatcher, job)
    assert world.jobs.get(person, job.id).state in (JobState.QUEUED, JobState.RUNNING)
    world.clock.advance(60)
    drafted(world, dispatcher, job)
    assert [draft.job.id for draft in drafts.undecided(person)] == [job.id]


def test_another_try_of_a_draft_is_a_draft(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    (job,) = submit(world, person, count="1")
    world.jobs.request_cancel(person, job.id)
    again = world.retrying().again(person, job.id)
    assert (again.until, again.request) == (job.until, job.request)


def test_what_a_draft_showed_to_be_needed_goes_on_with_it(
    world: World, dispatcher: Dispatcher, person: Person, drafts: Drafts
) -> None:
    (job,) = submit(world, person, count="1")
    dispatcher.tick()
    claimed = world.jobs.get(person, job.id)
    why = Problem(code="out_of_ram", what="It was too much.")
    world.jobs.requeue(job.id, claimed.epoch, why, relief=Relief(chunk=512))
    dispatcher = world.dispatcher()
    drafted(world, dispatcher, job)
    rest = drafts.go_on(person, job.id)
    assert rest.relief == Relief(chunk=512)
    assert rest.request.chunk == 512
