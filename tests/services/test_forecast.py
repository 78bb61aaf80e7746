"""When waiting jobs will start."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.services.conftest import World
from tests.values import PLAN, a_request, an_output
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import DEMO_TI2V
from wan22_app.domain.events import Stage
from wan22_app.domain.job import Job, Progress
from wan22_app.ports import NewJob
from wan22_app.services.forecast import Forecast
from wan22_app.services.queue import Queue

Add = Callable[[str], Job]
SECONDS = 60.0


@pytest.fixture
def forecast(world: World) -> Forecast:
    return Forecast(world.outputs, world.library, world.clock)


def run(world: World, job: Job) -> Job:
    claimed = world.jobs.claim(job, PLAN)
    assert claimed is not None
    return claimed


@pytest.fixture
def experienced(world: World, add: Add) -> World:
    """A machine that has once made such a video in a minute."""
    job = run(world, add("first"))
    output = an_output(job).model_copy(update={"seconds": {"denoising": SECONDS}})
    assert world.jobs.succeed(job.id, job.epoch, output)
    return world


def starts(world: World, forecast: Forecast, person: Person) -> dict[str, float]:
    """Seconds from now, rounded, by job."""
    now = world.clock.now()
    line = Queue(world.jobs, world.files, world.bell).line(person)
    experience = forecast.experience(job.request.model for job in [*line.running, *line.waiting])
    found = forecast.starts(line.running, line.waiting, experience)
    return {job: round((moment - now).total_seconds()) for job, moment in found.items()}


def test_each_starts_when_those_before_it_have_ended(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    running, second, third = add("1"), add("2"), add("3")
    run(experienced, running)
    assert starts(experienced, forecast, person) == {second.id: 60, third.id: 120}


def test_a_run_that_goes_on_at_a_late_step_has_only_the_rest_before_it(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    running, second = add("1"), add("2")
    job = run(experienced, running)
    late = Progress(stage=Stage.DENOISING, done=30, total=40, seconds=2.0)
    assert experienced.jobs.record(job.id, job.epoch, late)
    experienced.clock.advance(2)
    assert starts(experienced, forecast, person) == {second.id: 15}
    experienced.clock.advance(1)
    assert starts(experienced, forecast, person) == {second.id: 14}
    experienced.clock.advance(500)
    assert starts(experienced, forecast, person) == {second.id: 14}, "a slow step is not done"


def test_people_take_turns_in_the_estimates_as_they_will_in_the_queue(
    experienced: World, forecast: Forecast, person: Person, stranger: Person, add: Add
) -> None:
    """The machine's experience is everybody's: the stranger has made nothing yet."""
    mine = [add("1"), add("2")]
    hers = [experienced.jobs.add(stranger, NewJob(request=mine[0].request, key=k), 9) for k in "ab"]
    expected = {hers[0].id: 0, mine[0].id: 60, hers[1].id: 120, mine[1].id: 180}
    assert starts(experienced, forecast, person) == expected
    experienced.jobs.pause_queue(stranger, paused=True)
    assert starts(experienced, forecast, person) == {mine[0].id: 0, mine[1].id: 60}


def test_another_model_has_to_be_loaded_first(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    other = run(experienced, experienced.jobs.add(
        person, NewJob(request=a_request(DEMO_TI2V), key="other"), 9))  # fmt: skip
    made = an_output(other).model_copy(update={"seconds": {"loading": 30.0, "denoising": 5.0}})
    assert experienced.jobs.succeed(other.id, other.epoch, made)
    first = add("1")
    second, third = (
        experienced.jobs.add(person, NewJob(request=a_request(DEMO_TI2V), key=key), 9)
        for key in "ab"
    )
    last = add("2")
    found = starts(experienced, forecast, person)
    assert [found[job.id] for job in (first, second, third, last)] == [0, 60, 95, 100]


def test_a_paused_job_has_no_start_and_delays_nobody(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    first, second, third = add("1"), add("2"), add("3")
    experienced.jobs.pause(person, second.id, paused=True)
    assert starts(experienced, forecast, person) == {first.id: 0, third.id: 60}


def test_without_experience_only_the_first_start_is_known(
    world: World, forecast: Forecast, person: Person, add: Add
) -> None:
    first, _second = add("1"), add("2")
    assert starts(world, forecast, person) == {first.id: 0}
    world.clock.advance(timedelta(days=1).total_seconds())
    assert forecast.stages(first, []) is None


def test_a_draft_before_it_takes_a_share_of_the_time(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    request = a_request(width=128, height=128)
    draft = experienced.jobs.add(person, NewJob(request=request, key="draft", until=4), 100)
    second = add("2")
    run(experienced, draft)
    assert starts(experienced, forecast, person) == {second.id: 60 * 4 / request.steps}
