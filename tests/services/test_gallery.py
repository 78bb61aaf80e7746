"""The gallery over the real store and a real folder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SetClock
from tests.fakes import FakeFiles, FakeImages, FakeLibrary
from tests.services.conftest import Add
from tests.values import PLAN, a_request, an_output
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.files import FolderOutputFiles
from wan22_app.dispatcher import BinKeeper
from wan22_app.domain.account import Person
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.errors import InvalidRequest, NotFound, Problem, UserError
from wan22_app.domain.generation import ImageRef, LoraRef
from wan22_app.domain.output import Output, Recipe
from wan22_app.domain.plan import Device
from wan22_app.services.gallery import BIN, KEPT_IN_BIN, Gallery
from wan22_app.services.recipes import Here, Recipes

Publish = Callable[[str], Output]


@pytest.fixture
def files(tmp_path: Path) -> FolderOutputFiles:
    (tmp_path / "out" / ".staging").mkdir(parents=True)
    return FolderOutputFiles(tmp_path / "out", tmp_path / "out" / ".staging", reserve_bytes=0)


@pytest.fixture
def gallery(outputs: SqlOutputStore, files: FolderOutputFiles, clock: SetClock) -> Gallery:
    return Gallery(outputs, files, clock)


@pytest.fixture
def publish(jobs: SqlJobStore, add: Add, files: FolderOutputFiles, tmp_path: Path) -> Publish:
    assert files.staging.is_dir()

    def one(key: str) -> Output:
        claimed = jobs.claim(add(key), PLAN)
        assert claimed is not None
        output = an_output(claimed)
        assert jobs.succeed(claimed.id, claimed.epoch, output)
        for name in (output.video, output.poster):
            (tmp_path / "out" / name).write_bytes(b"x")
        return output

    return one


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}


def test_deleting_keeps_the_files_until_the_week_is_over(
    gallery: Gallery, person: Person, publish: Publish, clock: SetClock, tmp_path: Path
) -> None:
    gone, kept = publish("1"), publish("2")
    gallery.delete(person, gone.id)
    assert [output.id for output in gallery.page(person)] == [kept.id]
    assert gallery.path(person, gone.id, "video").is_file(), "undo must play"
    clock.advance(KEPT_IN_BIN.total_seconds() - 60)
    assert gallery.purge_overdue() == 0
    clock.advance(120)
    assert gallery.purge_overdue() == 1
    assert names(tmp_path) == {kept.video, kept.poster}
    with pytest.raises(NotFound):
        gallery.restore(person, gone.id)


def test_undo_brings_it_back_to_its_place(
    gallery: Gallery, person: Person, publish: Publish
) -> None:
    made = [publish(str(n)) for n in range(3)]
    before = gallery.page(person)
    gallery.delete(person, made[1].id)
    gallery.restore(person, made[1].id)
    assert gallery.page(person) == before


def test_emptying_takes_the_bin_and_nothing_else(
    gallery: Gallery, person: Person, publish: Publish, tmp_path: Path
) -> None:
    made = [publish(str(n)) for n in range(4)]
    for output in made[:3]:
        gallery.delete(person, output.id)
    assert gallery.empty_bin(person) == 3
    assert gallery.page(person, BIN) == []
    assert names(tmp_path) == {made[3].video, made[3].poster}
    assert gallery.empty_bin(person) == 0


def test_a_death_between_files_and_row_is_mended_the_next_time(
    gallery: Gallery, person: Person, publish: Publish, files: FolderOutputFiles, tmp_path: Path
) -> None:
    output = publish("1")
    gallery.delete(person, output.id)
    assert files.remove((output.video,))
    assert gallery.empty_bin(person) == 1
    assert names(tmp_path) == set()
    with pytest.raises(NotFound):
        gallery.get(person, output.id)


def test_a_file_that_is_held_open_keeps_its_row(
    outputs: SqlOutputStore, person: Person, publish: Publish, clock: SetClock
) -> None:
    held = FakeFiles()
    held.held = True
    gallery = Gallery(outputs, held, clock)
    output = publish("1")
    gallery.delete(person, output.id)
    assert gallery.empty_bin(person) == 0
    assert [o.id for o in gallery.page(person, BIN)] == [output.id]


def test_a_file_removed_by_hand_is_said_and_breaks_nothing(
    gallery: Gallery, person: Person, publish: Publish, tmp_path: Path
) -> None:
    output = publish("1")
    assert gallery.plays(output)
    (tmp_path / "out" / output.video).unlink()
    assert not gallery.plays(output)
    assert gallery.page(person) == [output]
    with pytest.raises(NotFound) as refusal:
        gallery.path(person, output.id, "video")
    assert refusal.value.problem.code == "file_gone"


HERE = Here(lambda: Device(kind="cpu", name="a processor"), {"torch": "2.13.0", "diffusers": "1"})


class ScriptedVideos:
    """Videos that hold what the test says."""

    def __init__(self, recipe: Recipe | None = None):
        self.held = recipe
        self.asked: list[tuple[Path, float]] = []

    def recipe(self, path: Path) -> Recipe | None:
        return self.held

    def frame(self, path: Path, seconds: float) -> bytes:
        self.asked.append((path, seconds))
        return b"png"

    def compare(self, one: Path, other: Path) -> Comparison:
        return Comparison(frames=1, others=1)

    def brought(self, data: bytes) -> Recipe:
        raise InvalidRequest(Problem(code="video_no_recipe", what="None."))


class NoImages(FakeImages):
    """An uploads folder where nothing is."""

    def path(self, image: ImageRef) -> Path:
        raise InvalidRequest(Problem(code="image_gone", what="Gone."))


class OtherLora(FakeLibrary):
    """A LoRA of the same name with other content, or none at all."""

    def check_lora(self, entry: object, ref: LoraRef) -> LoraRef:
        if ref.file == "absent.safetensors":
            raise InvalidRequest(Problem(code="no_such_lora", what="There is no LoRA."))
        return ref.model_copy(update={"sha256": "e" * 64})


def a_recipe(**fields: object) -> Recipe:
    request = a_request().model_copy(update=fields)
    return Recipe(
        demo=True, request=request, plan=PLAN.placement, revision="", latents_sha256="1" * 64,
        versions={"wan22_app": "0", **HERE.versions}, device="cpu",
    )  # fmt: skip


def codes(recipes: Recipes, recipe: Recipe) -> list[str]:
    return [problem.code for problem in recipes.differences(recipe)]


def test_a_recipe_of_this_machine_differs_in_nothing(gallery: Gallery) -> None:
    recipes = Recipes(gallery, ScriptedVideos(), FakeImages(), FakeLibrary(), HERE)
    assert codes(recipes, a_recipe()) == []


def test_each_difference_is_said(gallery: Gallery) -> None:
    here = Recipes(gallery, ScriptedVideos(), NoImages(), OtherLora(), HERE)
    image = ImageRef(sha256="0" * 64, width=4, height=4)
    lora = LoraRef(file="good.safetensors", sha256="f" * 64)
    assert codes(here, a_recipe(model="somewhere-else")) == ["model_unknown"]
    assert codes(here, a_recipe().model_copy(update={"revision": "x"})) == ["other_revision"]
    assert codes(here, a_recipe(loras=(lora,))) == ["other_lora"]
    absent = LoraRef(file="absent.safetensors", sha256="f" * 64)
    assert codes(here, a_recipe(loras=(absent,))) == ["no_such_lora"]
    assert codes(here, a_recipe(image=image)) == ["image_elsewhere"]
    both = a_recipe(image=image, last_image=image)
    assert codes(here, both) == ["image_elsewhere", "last_image_elsewhere"]
    missing = Recipes(
        gallery, ScriptedVideos(), FakeImages(), FakeLibrary(missing={a_request().model}), HERE
    )
    assert codes(missing, a_recipe()) == ["weights_missing"]
    elsewhere = a_recipe().model_copy(update={"device": "NVIDIA RTX 4090"})
    assert codes(here, elsewhere) == ["other_device"]
    older = a_recipe().model_copy(update={"versions": {**HERE.versions, "torch": "2.12.0"}})
    (problem,) = here.differences(older)
    assert (problem.code, problem.cause) == ("other_versions", "torch 2.12.0, here 2.13.0.")
    packed = Recipes(
        gallery, ScriptedVideos(), FakeImages(), FakeLibrary(),
        replace(HERE, versions={**HERE.versions, "torchao": "0.18.0", "peft": "0.20.0"}),
    )  # fmt: skip
    assert codes(packed, a_recipe()) == [], "they did not compute in it"
    older = a_recipe().model_copy(update={"versions": {**HERE.versions, "torchao": "0.17.0"}})
    (problem,) = packed.differences(older)
    assert problem.cause == "torchao 0.17.0, here 0.18.0."


def test_a_recipe_and_a_frame_need_the_file(
    gallery: Gallery, person: Person, publish: Publish, tmp_path: Path
) -> None:
    videos = ScriptedVideos(a_recipe())
    recipes = Recipes(gallery, videos, FakeImages(), FakeLibrary(), HERE)
    output = publish("1")
    assert recipes.of(person, output.id) == a_recipe()
    recipes.frame(person, output.id, 0.5)
    assert videos.asked == [(tmp_path / "out" / output.video, 0.5)]
    (tmp_path / "out" / output.video).unlink()
    assert recipes.of(person, output.id) is None
    with pytest.raises(UserError):
        recipes.frame(person, output.id, 0.5)


def test_a_strangers_output_is_none(gallery: Gallery, publish: Publish) -> None:
    output = publish("1")
    eve = Person(id="eve", name="Eve")
    recipes = Recipes(gallery, ScriptedVideos(a_recipe()), FakeImages(), FakeLibrary(), HERE)
    actions: list[Callable[[], object]] = [
        lambda: gallery.path(eve, output.id, "video"),
        lambda: gallery.delete(eve, output.id),
        lambda: gallery.favourite(eve, output.id, True),
        lambda: recipes.of(eve, output.id),
        lambda: recipes.frame(eve, output.id, 0.0),
    ]
    for action in actions:
        with pytest.raises(NotFound):
            action()


def test_the_dispatcher_clears_the_bin_at_its_start_and_not_each_round(
    gallery: Gallery, person: Person, publish: Publish, clock: SetClock
) -> None:
    keeper = BinKeeper(gallery)
    old, young = publish("1"), publish("2")
    gallery.delete(person, old.id)
    clock.advance(KEPT_IN_BIN.total_seconds() + 60)
    keeper.look()
    gallery.delete(person, young.id)
    clock.advance(KEPT_IN_BIN.total_seconds() + 60)
    keeper.look()
    assert [output.id for output in gallery.page(person, BIN)] == [young.id]


def test_the_week_in_the_bin_is_a_week() -> None:
    assert timedelta(days=7) == KEPT_IN_BIN


def test_what_is_taken_out_while_the_bin_is_emptied_keeps_its_files(
    outputs: SqlOutputStore,
    files: FolderOutputFiles,
    clock: SetClock,
    person: Person,
    publish: Publish,
    tmp_path: Path,
) -> None:
    """Another tab is quicker: between the look into the bin and the removal."""
    made = publish("1")

    class Quicker(SqlOutputStore):
        def page(self, *args: Any, **options: Any) -> Sequence[Output]:
            found = super().page(*args, **options)
            outputs.restore(person, made.id)
            return found

        def overdue(self, *args: Any, **options: Any) -> Sequence[Output]:
            found = super().overdue(*args, **options)
            outputs.restore(person, made.id)
            outputs.bin(person, made.id, clock.now())
            return found

    gallery = Gallery(Quicker(outputs._engine), files, clock)
    gallery.delete(person, made.id)
    assert gallery.empty_bin(person) == 0
    assert names(tmp_path) == {made.video, made.poster}
    gallery.delete(person, made.id)
    clock.advance(KEPT_IN_BIN.total_seconds() + 60)
    assert gallery.purge_overdue() == 0, "its week has begun anew"
    assert names(tmp_path) == {made.video, made.poster}
