"""Wishes for weights, and jobs that wait for them."""

import pytest

from tests.services.conftest import World
from wan22_app.domain.account import Person
from wan22_app.domain.download import DownloadState
from wan22_app.domain.errors import Conflict, ModelUnavailable, NotFound
from wan22_app.domain.job import HoldReason
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.weights import Weights

KEY = "ti2v-5b"
FIELDS: dict[str, object] = {"model": KEY, "prompt": "a red ball", "width": 256, "height": 256,
                             "frames": 5}  # fmt: skip


@pytest.fixture
def weights(world: World) -> Weights:
    world.library.missing = {KEY, "t2v-a14b", "demo-i2v"}
    return Weights(world.downloads, world.library, world.bell)


def test_a_wish_is_a_row_and_the_bell_has_rung(
    world: World, weights: Weights, person: Person
) -> None:
    wish = weights.get(person, KEY)
    assert (wish.model, wish.state) == (KEY, DownloadState.WAITING)
    assert world.bell.rings == 1
    assert weights.get(person, KEY).id == wish.id
    shelf = {shelf.entry.spec.key: shelf for shelf in weights.shelves(person)}
    assert shelf[KEY].download == wish
    assert shelf["t2v-a14b"].download is None


@pytest.mark.parametrize(
    ("key", "error", "code"),
    [
        ("nonsense", ModelUnavailable, "no_such_model"),
        ("i2v-a14b", Conflict, "weights_here"),
        ("demo-i2v", ModelUnavailable, "weights_homeless"),
    ],
)
def test_what_cannot_be_fetched_is_refused(
    weights: Weights, person: Person, key: str, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as refusal:
        weights.get(person, key)
    assert refusal.value.problem.code == code  # type: ignore[attr-defined]
    assert refusal.value.problem.cure or code == "no_such_model"  # type: ignore[attr-defined]


def test_a_wish_can_be_taken_back_and_made_again(
    world: World, weights: Weights, person: Person
) -> None:
    wish = weights.get(person, KEY)
    assert weights.cancel(person, wish.id).state is DownloadState.CANCELLED
    assert world.bell.rings == 2
    assert weights.get(person, KEY).id != wish.id
    with pytest.raises(NotFound):
        weights.cancel(Person(id="eve", name="Eve"), weights.get(person, KEY).id)


def test_a_job_waits_visibly_for_weights_that_are_on_their_way(
    world: World, weights: Weights, dispatcher: Dispatcher, person: Person
) -> None:
    submission = world.submission()
    with pytest.raises(ModelUnavailable):
        submission.submit(person, FIELDS, "1")
    wish = weights.get(person, KEY)
    job = submission.submit(person, FIELDS, "1")
    dispatcher.tick()
    assert world.jobs.get(person, job.id).hold is HoldReason.WEIGHTS
    weights.cancel(person, wish.id)
    dispatcher.tick()
    assert world.jobs.get(person, job.id).hold is HoldReason.WEIGHTS, "it is not lost"
    assert [line.kind for line in world.jobs.story(person, job.id)][-1] == "weights"
    world.library.missing = set()
    dispatcher.tick()
    assert [run.job_id for run in world.executor.runs] == [job.id]


def test_weights_on_their_way_hold_up_nobody_else(
    world: World, weights: Weights, dispatcher: Dispatcher, person: Person
) -> None:
    weights.get(person, KEY)
    submission = world.submission()
    submission.submit(person, FIELDS, "1")
    other = submission.submit(person, {"model": "demo-t2v", "prompt": "a red ball"}, "2")
    dispatcher.tick()
    assert [run.job_id for run in world.executor.runs] == [other.id]
