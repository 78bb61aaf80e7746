"""When waiting jobs will start."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.services.conftest import World
from tests.values import PLAN, an_output
from wan22_app.domain.account import Person
from wan22_app.domain.job import Job
from wan22_app.services.forecast import Forecast

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
    found = forecast.starts(world.jobs.queue(person), forecast.history(person))
    return {job: round((moment - now).total_seconds()) for job, moment in found.items()}


def test_each_starts_when_those_before_it_have_ended(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    running, second, third = add("1"), add("2"), add("3")
    run(experienced, running)
    experienced.clock.advance(20)
    assert starts(experienced, forecast, person) == {second.id: 40, third.id: 100}


def test_a_job_that_takes_too_long_ends_now_and_not_in_the_past(
    experienced: World, forecast: Forecast, person: Person, add: Add
) -> None:
    running, second, third = add("1"), add("2"), add("3")
    run(experienced, running)
    experienced.clock.advance(500)
    assert starts(experienced, forecast, person) == {second.id: 0, third.id: 60}


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
    assert forecast.seconds(first, []) is None
