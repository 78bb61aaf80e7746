"""From form fields to a queued job, and every reason why not."""

import pytest

from tests.services.conftest import World
from tests.values import PLAN
from wan22_app.domain.account import Person
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.errors import (
    InvalidRequest,
    ModelUnavailable,
    Problem,
    QuotaReached,
    UserError,
)
from wan22_app.domain.generation import MAX_SEED
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.plan import Device, Host
from wan22_app.services.dispatch import Dispatcher

FIELDS: dict[str, object] = {"model": "demo-t2v", "prompt": "a red ball"}
MOST = 10
STRANGER = Person(id="eve", name="Eve")


def submit(world: World, person: Person, key: str = "k", **fields: object) -> str:
    return world.submission().submit(person, {**FIELDS, **fields}, key).id


def test_a_confirmed_job_is_a_row_and_the_bell_has_rung(world: World, person: Person) -> None:
    job_id = submit(world, person, seed="7", steps="3")
    job = world.jobs.get(person, job_id)
    assert (job.state, job.request.seed, job.request.steps) == (JobState.QUEUED, 7, 3)
    assert world.bell.rings == 1


def test_the_same_form_is_one_job(world: World, person: Person) -> None:
    assert submit(world, person) == submit(world, person)
    assert submit(world, person) != submit(world, person, key="another form")


def test_an_empty_seed_is_drawn_and_recorded(world: World, person: Person) -> None:
    seeds = {
        world.jobs.get(person, submit(world, person, key=str(n))).request.seed for n in range(4)
    }
    assert len(seeds) == 4


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "word " * 512}, "prompt"),
        ({"prompt": "a\x07b"}, "prompt"),
        ({"width": "65"}, "width"),
        ({"frames": "0"}, "frames"),
        ({"guidance": "nan"}, "guidance"),
        ({"steps": "-3"}, "steps"),
        ({"loras": "good.safetensors:strong"}, "loras"),
        ({"loras": "good.safetensors:4.5"}, "loras"),
        ({"loras": ":1"}, "loras"),
        ({"loras": "good.safetensors\ngood.safetensors:0.5"}, "loras"),
        ({"count": "0"}, "count"),
        ({"count": "17"}, "count"),
        ({"count": "two"}, "count"),
        ({"count": "0000000002"}, "count"),
        ({"model": "demo-i2v"}, "image"),
        ({"model": "nonsense"}, "model"),
        ({"precision": "fp32", "quantization": "int8"}, "quantization"),
        ({"precision": "bf16", "quantization": "fp8-dynamic"}, "quantization"),
        ({"precision": "bf16", "attention": "sage"}, "attention"),
        ({"compilation": "regional"}, "compilation"),
    ],
)
def test_what_is_refused_is_refused_before_and_at_submission(
    world: World, person: Person, fields: dict[str, object], field: str
) -> None:
    problems = world.submission().check(person, {**FIELDS, **fields}).problems
    assert [problem.field or "model" for problem in problems] == [field]
    with pytest.raises(UserError):
        batch(world, person, **fields)
    assert world.jobs.queue(person) == []
    assert world.bell.rings == 0


def batch(world: World, person: Person, key: str = "batch-key", **fields: object) -> list[Job]:
    return list(world.submission().submit_batch(person, {**FIELDS, **fields}, key))


def test_a_batch_is_jobs_that_differ_in_their_seed(world: World, person: Person) -> None:
    jobs = batch(world, person, count="3", seed=str(MAX_SEED))
    assert [job.request.seed for job in jobs] == [MAX_SEED, 0, 1]
    assert len({job.request.model_copy(update={"seed": 0}) for job in jobs}) == 1
    assert [job.id for job in world.jobs.queue(person)] == [job.id for job in jobs]
    assert "2 of 3" in world.jobs.story(person, jobs[1].id)[0].text
    assert batch(world, person, count="3", seed="7") == jobs, "the same click once more"
    assert world.bell.rings == 2


def test_a_batch_before_the_others_keeps_its_own_order(world: World, person: Person) -> None:
    waiting = submit(world, person, key="before")
    jobs = world.submission().submit_batch(person, {**FIELDS, "count": "3"}, "more", first=True)
    assert [job.id for job in world.jobs.queue(person)] == [*(job.id for job in jobs), waiting]


def test_a_batch_that_is_too_many_queues_none(world: World, person: Person) -> None:
    submit(world, person, key="before")
    with pytest.raises(QuotaReached):
        batch(world, person, count=str(MOST))
    assert len(world.jobs.queue(person)) == 1
    assert len(batch(world, person, count=str(MOST - 1))) == MOST - 1


def test_a_text_longer_than_the_model_reads_is_counted(world: World, person: Person) -> None:
    (problem,) = world.submission().check(person, {**FIELDS, "prompt": "a " * 600}).problems
    assert "601 tokens" in problem.what
    assert "reads 512" in problem.what


def test_a_lora_is_checked_and_its_hash_kept(world: World, person: Person) -> None:
    job_id = submit(world, person, loras="good.safetensors:0.5")
    (ref,) = world.jobs.get(person, job_id).request.loras
    assert (ref.strength, ref.sha256) == (0.5, "f" * 64)


def test_a_pair_of_loras_is_chosen_by_one_name(world: World, person: Person) -> None:
    name = "pair_*_noise.safetensors"
    job_id = submit(world, person, loras=f"{name}:0.5")
    high, low = world.jobs.get(person, job_id).request.loras
    assert (high.file, high.expert) == ("pair_high_noise.safetensors", "high")
    assert (low.file, low.expert) == ("pair_low_noise.safetensors", "low")
    assert high.strength == low.strength == 0.5


def test_several_loras_keep_their_order_strengths_and_consent(world: World, person: Person) -> None:
    text = "pair_*_noise.safetensors:1.5\ngood.safetensors:-0.5:partly"
    request = world.jobs.get(person, submit(world, person, loras=text)).request
    assert [(ref.file, ref.strength, ref.partly) for ref in request.loras] == [
        ("pair_high_noise.safetensors", 1.5, False),
        ("pair_low_noise.safetensors", 1.5, False),
        ("good.safetensors", -0.5, True),
    ]


def test_missing_weights_are_said_now_and_not_at_night(world: World, person: Person) -> None:
    world.library.missing = {"demo-t2v"}
    with pytest.raises(ModelUnavailable) as refusal:
        submit(world, person)
    assert refusal.value.problem.cure == "Fetch them."


def test_a_full_folder_refuses_and_loses_nothing(world: World, person: Person) -> None:
    world.files.refuses = UserError(Problem(code="disk_full", what="Full."))
    with pytest.raises(UserError):
        submit(world, person)
    world.files.refuses = None
    assert submit(world, person)


@pytest.mark.parametrize("short_of", ["vram", "ram"])
def test_what_cannot_fit_is_refused_with_numbers(
    world: World, person: Person, short_of: str
) -> None:
    if short_of == "vram":
        world.probe.card = Device(kind="cuda", name="tiny", total_bytes=10**6)
    else:
        world.probe.machine = Host(total_bytes=10**6, available_bytes=10**6, cores=1)
    verdict = world.submission().check(person, FIELDS)
    assert verdict.wont_fit is not None
    assert verdict.wont_fit.short_of == short_of
    assert not verdict.accepted
    with pytest.raises(InvalidRequest):
        submit(world, person)


def test_the_quota_counts_waiting_jobs(world: World, person: Person) -> None:
    few = world.submission(most_waiting=2)
    first = few.submit(person, FIELDS, "1")
    few.submit(person, FIELDS, "2")
    with pytest.raises(QuotaReached):
        few.submit(person, FIELDS, "3")
    assert world.jobs.claim(first, PLAN)
    few.submit(person, FIELDS, "3")


def test_a_good_form_says_what_will_be_made(world: World, person: Person) -> None:
    verdict = world.submission().check(person, {**FIELDS, "width": 160, "height": 90})
    assert verdict.accepted
    assert verdict.made is not None
    assert (verdict.made.height, verdict.made.crop_height) == (96, 90)
    assert verdict.plan is not None


def test_a_video_to_go_on_from_must_be_there(
    world: World, dispatcher: Dispatcher, person: Person
) -> None:
    video = VideoRef(
        sha256="c" * 64, still="d" * 64, width=128, height=128, fps=8, frames=17, tail=5
    )
    fields = {**FIELDS, "model": "demo-i2v", "continues": video}
    job = world.submission().submit(person, fields, "key-of-it")
    dispatcher.tick()
    assert world.executor.runs[0].work.continues == f"/uploads/{video.sha256}.mp4"
    world.videos.gone.add(video.sha256)
    with pytest.raises(InvalidRequest):
        world.submission().submit(person, fields, "another-key")
    assert world.submission().submit(person, FIELDS, "a-third-key").id != job.id
