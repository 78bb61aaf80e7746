"""What every OutputStore promises, on the database that people use."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.values import PLAN, a_request, an_output
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import DEMO_TI2V
from wan22_app.domain.errors import NotFound
from wan22_app.domain.output import Output, OutputQuery
from wan22_app.ports import NewJob

START = datetime(2026, 1, 1, tzinfo=UTC)
MOST = 10_000

Make = Callable[..., Output]


@pytest.fixture
def make(jobs: SqlJobStore, person: Person) -> Make:
    """A finished output; each a second younger than the one before unless ``at`` says else."""
    made: list[Output] = []

    def make_one(
        prompt: str = "a red ball", at: datetime | None = None, owner: Person = person, **fields
    ) -> Output:
        request = a_request(**{"prompt": prompt, **fields})
        job = jobs.add(owner, NewJob(request=request, key=f"key-{len(made)}"), MOST)
        claimed = jobs.claim(job, PLAN)
        assert claimed is not None
        output = an_output(claimed).model_copy(
            update={"created_at": at or START + timedelta(seconds=len(made))}
        )
        assert jobs.succeed(claimed.id, claimed.epoch, output)
        made.append(output)
        return output

    return make_one


def ids(outputs: Sequence[Output]) -> list[str]:
    return [output.id for output in outputs]


def test_an_output_comes_back_as_it_was_given(
    outputs: SqlOutputStore, person: Person, make: Make
) -> None:
    output = make("ein roter Ball 🎈")
    assert outputs.get(person, output.id) == output
    assert outputs.page(person) == [output]
    assert (output.favourite, output.deleted_at) == (False, None)


def test_pages_join_without_gap_or_repeat_even_at_equal_times(
    outputs: SqlOutputStore, person: Person, make: Make
) -> None:
    made = [make(at=START + timedelta(seconds=n // 3)) for n in range(10)]
    seen: list[Output] = []
    while page := outputs.page(person, before=seen[-1].place if seen else None, limit=3):
        seen += page
    assert sorted(ids(seen)) == sorted(ids(made))
    times = [output.created_at for output in seen]
    assert times == sorted(times, reverse=True)


def test_what_comes_or_goes_above_does_not_shift_the_next_page(
    outputs: SqlOutputStore, person: Person, make: Make
) -> None:
    made = [make() for _ in range(6)]
    first = outputs.page(person, limit=3)
    make()
    outputs.bin(person, first[0].id, START)
    rest = outputs.page(person, before=first[-1].place, limit=10)
    assert ids(rest) == ids(made[2::-1])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (
            "",
            {"Straße", "100%", "10_0", "back\\slash", "１００ wide", "red ball rolls", "犬が走る"},
        ),
        ("ball red", {"red ball rolls"}),
        ("RED", {"red ball rolls"}),
        ("red kite", set()),
        ("strasse", {"Straße"}),
        ("STRAẞE", {"Straße"}),
        ("100", {"100%", "１００ wide"}),
        ("%", {"100%"}),
        ("_", {"10_0"}),
        ("\\", {"back\\slash"}),
        ("犬", {"犬が走る"}),
        ("' OR 1=1 --", set()),
    ],
)
def test_every_word_must_be_there_and_is_taken_literally(
    outputs: SqlOutputStore, person: Person, make: Make, words: str, found: set[str]
) -> None:
    for prompt in ("Straße", "100%", "10_0", "back\\slash", "１００ wide", "red ball rolls"):
        make(prompt)
    make("犬が走る")
    query = OutputQuery(words=words)
    assert {output.request.prompt for output in outputs.page(person, query)} == found
    assert outputs.count(person, query) == len(found)


def test_model_stars_and_bin_narrow_what_is_found(
    outputs: SqlOutputStore, person: Person, make: Make
) -> None:
    plain, starred, other, gone = (make(), make(), make(), make())
    outputs.favourite(person, starred.id, True)
    outputs.bin(person, gone.id, START)
    assert ids(outputs.page(person)) == [other.id, starred.id, plain.id]
    assert ids(outputs.page(person, OutputQuery(favourites=True))) == [starred.id]
    assert ids(outputs.page(person, OutputQuery(binned=True))) == [gone.id]
    assert ids(outputs.page(person, OutputQuery(model="no-such"))) == []
    assert len(outputs.page(person, OutputQuery(model=plain.request.model))) == 3
    assert outputs.count(person) == 3


def test_the_models_that_made_something_are_listed_once(
    outputs: SqlOutputStore, person: Person, make: Make, jobs: SqlJobStore
) -> None:
    make()
    job = jobs.add(person, NewJob(request=a_request(DEMO_TI2V), key="other"), MOST)
    claimed = jobs.claim(job, PLAN)
    assert claimed is not None
    assert jobs.succeed(claimed.id, claimed.epoch, an_output(claimed))
    make()
    assert outputs.models(person) == sorted([DEMO_TI2V.key, a_request().model])


def test_bin_and_back(outputs: SqlOutputStore, person: Person, make: Make) -> None:
    output = make()
    binned = outputs.bin(person, output.id, START)
    assert binned.deleted_at == START
    assert outputs.bin(person, output.id, START + timedelta(days=1)).deleted_at == START
    assert outputs.get(person, output.id) == binned, "undo needs it"
    assert outputs.existing(person, [output.id, "0" * 32]) == set()
    assert outputs.restore(person, output.id) == output
    assert outputs.existing(person, [output.id, "0" * 32]) == {output.id}


def test_only_what_lies_in_the_bin_long_enough_is_overdue_and_purged(
    outputs: SqlOutputStore, person: Person, make: Make
) -> None:
    old, young, kept = make(), make(), make()
    outputs.bin(person, old.id, START)
    outputs.bin(person, young.id, START + timedelta(days=5))
    assert ids(outputs.overdue(START + timedelta(days=1))) == [old.id]
    removed: list[str] = []

    def purge(output: Output, *, works: bool = True) -> bool:
        return outputs.purge(output, lambda: removed.append(output.id) is None and works)

    binned = outputs.get(person, old.id)
    assert not purge(binned, works=False), "files that stay keep their row"
    assert outputs.get(person, old.id) == binned
    assert [purge(output) for output in (binned, kept, binned)] == [True, False, False]
    assert removed == [old.id, old.id], "no file of another one is touched"
    assert ids(outputs.page(person)) == [kept.id], "what is not in the bin is never purged"
    with pytest.raises(NotFound):
        outputs.get(person, old.id)
    assert f"{old.id}.mp4" not in outputs.known_files()
    assert f"{young.id}.mp4" in outputs.known_files(), "the sweep must leave the bin alone"


def test_each_change_is_seen_and_an_equal_one_is_none(
    outputs: SqlOutputStore, jobs: SqlJobStore, person: Person, make: Make
) -> None:
    output = make()
    changes: list[Callable[[], object]] = [
        lambda: outputs.favourite(person, output.id, True),
        lambda: outputs.bin(person, output.id, START),
        lambda: outputs.restore(person, output.id),
        lambda: outputs.bin(person, output.id, START),
    ]
    for change in changes:
        before = jobs.latest_revision()
        change()
        after = jobs.latest_revision()
        assert after.latest > before.latest
        assert after.lists > before.lists
        change()
        assert jobs.latest_revision() == after, "nothing has changed the second time"
    before = jobs.latest_revision()
    assert outputs.purge(outputs.get(person, output.id), lambda: True)
    assert jobs.latest_revision().lists > before.lists


def test_a_stranger_sees_and_changes_nothing(
    outputs: SqlOutputStore, person: Person, stranger: Person, make: Make
) -> None:
    output = make()
    changes: list[Callable[[], object]] = [
        lambda: outputs.get(stranger, output.id),
        lambda: outputs.favourite(stranger, output.id, True),
        lambda: outputs.bin(stranger, output.id, START),
        lambda: outputs.restore(stranger, output.id),
    ]
    for change in changes:
        with pytest.raises(NotFound):
            change()
    assert outputs.page(stranger) == []
    assert outputs.models(stranger) == []
    assert outputs.existing(stranger, [output.id]) == set()
    assert outputs.count(stranger) == 0
    assert outputs.page(person) == [output]


def test_the_newest_of_a_model_are_the_machines_experience_whoever_made_them(
    outputs: SqlOutputStore, person: Person, stranger: Person, make: Make
) -> None:
    mine, hers = make(), make(owner=stranger)
    other = [make(spec=DEMO_TI2V) for _ in range(10)]
    outputs.bin(person, mine.id, START)
    assert ids(outputs.experience({mine.request.model})) == [hers.id, mine.id]
    assert ids(outputs.experience({DEMO_TI2V.key})) == ids(other[:1:-1]), "the newest eight"
    assert len(outputs.experience({mine.request.model, DEMO_TI2V.key})) == 10
    assert outputs.experience(set()) == outputs.experience({"unknown"}) == []
