"""What a job took is known to the next."""

import pytest

from tests.services.conftest import Add, World, done
from tests.services.test_dispatch import say
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.job import JobState
from wan22_app.domain.measured import HEAP_BYTES, MARGIN
from wan22_app.domain.plan import MemoryPlan
from wan22_app.services.dispatch import Dispatcher

TOOK = {"complete": True, "peak_ram_bytes": 700_000_000, "seconds": {"denoising": 4.0}}


@pytest.mark.parametrize("complete", [True, False])
def test_a_complete_run_teaches_the_next_plan(
    world: World, dispatcher: Dispatcher, add: Add, person: Person, complete: bool
) -> None:
    first, _second = add("1"), add("2")
    dispatcher.tick()
    before = world.executor.runs[-1].work.plan
    say(world, dispatcher, done(first).model_copy(update={**TOOK, "complete": complete}))
    assert world.jobs.get(person, first.id).state is JobState.SUCCEEDED
    after = world.executor.runs[-1].work.plan
    assert not before.calibrated
    assert after.calibrated == complete
    if complete:
        assert after.peak_ram_bytes == pytest.approx(700_000_000 * MARGIN + HEAP_BYTES)
        assert after.expected_seconds == pytest.approx(4.0)
        found = world.planning.plan(DEMO_T2V, first.request)
        assert isinstance(found, MemoryPlan)
        assert found == after


def test_a_model_that_is_gone_by_then_takes_nothing_from_the_video(
    world: World, dispatcher: Dispatcher, add: Add, person: Person
) -> None:
    job = add("1")
    dispatcher.tick()
    world.library.gone = {job.request.model}
    say(world, dispatcher, done(job).model_copy(update=TOOK))
    assert world.jobs.get(person, job.id).state is JobState.SUCCEEDED
