"""Defaults that win, prices of choices, presets of one person."""

import pytest
from sqlalchemy.engine import Engine

from tests.fakes import FakeProbe
from tests.services.conftest import World
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.adapters.db.preferences import SqlPresetStore, SqlSettingStore
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.domain.account import Person
from wan22_app.domain.catalog import CATALOG, DEMO_T2V, T2V_A14B
from wan22_app.domain.defaults import SETTING, GenerationDefaults
from wan22_app.domain.errors import InvalidRequest, QuotaReached
from wan22_app.domain.plan import Device
from wan22_app.domain.preset import MOST_PRESETS
from wan22_app.services.planning import Planning
from wan22_app.services.preferences import CHOICES, Preferences
from wan22_app.services.submission import Stores, Submission
from wan22_app.services.submission import Surroundings as Around

FORM = {
    "prompt": "not kept",
    "seed": "7",
    "steps": "9",
    "width": "64",
    "tile": "",
    "model": "demo-t2v",
}


@pytest.fixture
def preferences(database: Engine, world: World) -> Preferences:
    planning = world.planning
    return Preferences(
        SqlSettingStore(database), SqlPresetStore(database), planning, SystemSecrets()
    )


def test_a_changed_default_is_kept_and_others_stay(
    preferences: Preferences, person: Person
) -> None:
    assert preferences.defaults() == GenerationDefaults()
    preferences.change_default(person, "offload", "block")
    preferences.change_default(person, "tile", "128")
    assert preferences.defaults() == GenerationDefaults(offload="block", tile=128)
    preferences.change_default(person, "precision", "fp16")
    preferences.change_default(person, "precision", "")
    assert preferences.defaults().precision is None


@pytest.mark.parametrize(
    ("field", "choice"), [("offload", "sideways"), ("tile", "129"), ("steps", "8"), ("", "")]
)
def test_what_is_not_offered_is_refused(
    preferences: Preferences, person: Person, field: str, choice: str
) -> None:
    with pytest.raises(InvalidRequest):
        preferences.change_default(person, field, choice)
    assert preferences.defaults() == GenerationDefaults()


def test_a_row_that_this_version_cannot_read_counts_as_none(
    preferences: Preferences, database: Engine
) -> None:
    SqlSettingStore(database).put(SETTING, '{"offload": "warp", "more": 1}')
    assert preferences.defaults() == GenerationDefaults()


def test_defaults_fill_what_a_form_leaves_empty_and_nothing_else(
    world: World, preferences: Preferences, person: Person
) -> None:
    preferences.change_default(person, "offload", "model")
    preferences.change_default(person, "precision", "fp16")
    assert preferences.defaults().may_reduce is False, "consent is given, never assumed"
    preferences.change_default(person, "may_reduce", "True")
    around = Around(
        world.library, world.images, world.videos, world.files, world.planning, world.bell,
        SystemSecrets(), preferences.defaults,
    )  # fmt: skip
    stores = world.submission()._stores
    assert isinstance(stores, Stores)
    submission = Submission(stores, around, 10)
    job = submission.submit(
        person, {"model": "demo-t2v", "prompt": "x", "precision": ""}, "key-0001"
    )
    assert (job.request.offload, job.request.precision) == ("model", "fp16")
    assert job.request.may_reduce
    chosen = {"model": "demo-t2v", "prompt": "x", "precision": "fp32", "negative_prompt": "",
              "may_reduce": "False"}  # fmt: skip
    job = submission.submit(person, chosen, "key-0002")
    assert (job.request.offload, job.request.precision) == ("model", "fp32")
    assert job.request.negative_prompt == ""
    assert not job.request.may_reduce, "what the form says wins"


@pytest.mark.parametrize("key", CATALOG)
def test_every_choice_of_every_model_has_its_price(preferences: Preferences, key: str) -> None:
    prices = preferences.prices(CATALOG[key])
    offered = sum(len(values) for values in CHOICES.values())
    assert len(prices) == offered - 1, "a processor cannot compute in fp8"
    assert "fp8-dynamic" not in [price.choice for price in prices]
    assert all((price.plan is None) != (price.wont_fit is None) for price in prices)
    for field in CHOICES:
        assert sum(price.chosen for price in prices if price.field == field) == 1


def test_on_a_card_more_offload_needs_less_of_it(database: Engine) -> None:
    probe = FakeProbe()
    probe.card = Device(kind="cuda", name="RTX 4080", total_bytes=17 * 10**9, free_bytes=16 * 10**9)
    probe.machine = probe.machine.model_copy(update={"total_bytes": 200 * 10**9})
    planning = Planning(probe, SqlExperienceStore(database, SystemClock()), "test")
    card = Preferences(
        SqlSettingStore(database), SqlPresetStore(database), planning, SystemSecrets()
    )
    by_choice = {p.choice: p for p in card.prices(T2V_A14B) if p.field == "offload"}
    assert by_choice["none"].wont_fit is not None
    block = by_choice["block"].plan
    assert block is not None
    assert block.peak_vram_bytes < 17 * 10**9


def test_a_preset_keeps_the_form_but_what_is_new_each_time(
    preferences: Preferences, person: Person, stranger: Person
) -> None:
    preset = preferences.save_preset(person, "  Quick   look ", FORM)
    assert preset.name == "Quick look"
    assert preset.fields == {"model": "demo-t2v", "steps": "9", "width": "64"}
    assert preferences.presets(person) == [preset]
    assert preferences.presets(stranger) == []
    preferences.remove_preset(stranger, preset.id)
    assert preferences.presets(person) == [preset]
    again = preferences.save_preset(person, "Quick look", {**FORM, "steps": "3"})
    (only,) = preferences.presets(person)
    assert (only.id, only.fields["steps"]) == (preset.id, "3")
    assert again.fields == only.fields
    preferences.remove_preset(person, only.id)
    assert preferences.presets(person) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_a_name_that_nobody_can_read_is_refused(
    preferences: Preferences, person: Person, name: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        preferences.save_preset(person, name, FORM)
    assert refusal.value.problem.code == "bad_preset_name"


def test_the_list_of_presets_stays_readable(preferences: Preferences, person: Person) -> None:
    for number in range(MOST_PRESETS):
        preferences.save_preset(person, f"preset {number}", FORM)
    with pytest.raises(QuotaReached):
        preferences.save_preset(person, "one too many", FORM)
    preferences.save_preset(person, "preset 0", FORM)
    assert DEMO_T2V.precision == "fp32"
