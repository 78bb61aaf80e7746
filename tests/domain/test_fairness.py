"""People are served in turn, and each in the order of their own jobs."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.values import a_request
from wan22_app.domain.fairness import pick_next
from wan22_app.domain.job import HoldReason, Job, JobState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(place: int, owner: str, hold: HoldReason = HoldReason.NONE) -> Job:
    return Job(
        id=f"{place:032x}", number=place, place=place, owner=owner, request=a_request(),
        state=JobState.QUEUED, hold=hold, created_at=NOW,
    )  # fmt: skip


def starts(queue: list[Job]) -> list[Job]:
    """The order in which a queue is worked off."""
    served: dict[str, int] = {}
    left, order = list(queue), list[Job]()
    while (chosen := pick_next(left, served)) is not None:
        left.remove(chosen)
        served[chosen.owner] = len(order) + 1
        order.append(chosen)
    return order


owners = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30)


@given(owners)
def test_k_starts_in_a_row_serve_k_waiting_people(names: list[str]) -> None:
    order = starts([job(place, owner) for place, owner in enumerate(names)])
    for index in range(len(order)):
        waiting = {each.owner for each in order[index:]}
        run = order[index : index + len(waiting)]
        # Whoever waits all through the run is in it; others ran out of jobs meanwhile.
        staying = {each.owner for each in order[index + len(run) :]}
        assert staying & waiting <= {each.owner for each in run}


@given(owners)
def test_everybody_keeps_the_order_of_their_own(names: list[str]) -> None:
    order = starts([job(place, owner) for place, owner in enumerate(names)])
    for owner in set(names):
        places = [each.place for each in order if each.owner == owner]
        assert places == sorted(places)


def test_with_one_person_first_in_is_first_out() -> None:
    queue = [job(place, "a") for place in (3, 1, 2)]
    assert [each.place for each in starts(queue)] == [1, 2, 3]


def test_a_newcomer_comes_before_who_was_just_served() -> None:
    queue = [job(1, "a"), job(2, "a"), job(3, "b")]
    first = pick_next(queue, {"a": 7})
    assert first is not None
    assert first.owner == "b"


def test_what_is_held_lets_others_pass_and_keeps_its_turn() -> None:
    held = job(1, "a", HoldReason.WEIGHTS)
    assert pick_next([held], {}) is None
    chosen = pick_next([held, job(2, "a"), job(3, "b")], {"a": 1, "b": 2})
    assert chosen is not None
    assert chosen.place == 2
