"""The form with texts that are no numbers, and with drafts that no page of ours has kept."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.tensors import tensors
from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_T2V, T2V_A14B
from wan22_app.domain.speed import Calibration
from wan22_app.settings import Settings
from wan22_app.web import counter
from wan22_app.web.state import form, speed, start_image
from wan22_app.web.state.form import FormState

HUGE = "9" * 400
ENDLESS = "9" * 4900


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormState:
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    migrate(built.settings.database)
    for module in (form, speed, start_image, counter):
        monkeypatch.setattr(module, "services", lambda: built)
    return FormState(_reflex_internal_init=True)  # type: ignore[call-arg]


def call(state: FormState, name: str, *payload: object) -> FormState:
    handler: Callable[..., Coroutine[Any, Any, Any]] = FormState.event_handlers[name].fn
    asyncio.run(handler(state, *payload))
    return state


@pytest.mark.parametrize("name", ["width", "height", "frames", "fps", "steps", "seed"])
@pytest.mark.parametrize("typed", ["1280²", "٣", HUGE, ENDLESS, "-1", "1e3", "", " "])
def test_what_is_no_number_is_said_and_the_form_goes_on(
    state: FormState, name: str, typed: str
) -> None:
    call(state, "load")
    call(state, "change", name, typed)
    if typed in ("1280²", "-1"):
        assert name in state.errors
    call(state, "choose_length", "2 s")
    call(state, "change", "prompt", "a red ball")
    assert state.prompt == "a red ball"


@pytest.mark.parametrize("sent", ["²", ENDLESS, HUGE, "", "x"])
def test_choices_that_no_page_offers_break_nothing(state: FormState, sent: str) -> None:
    call(state, "load")
    for name in ("choose_shape", "choose_quality", "choose_length"):
        call(state, name, sent)
    call(state, "change", "prompt", "a red ball")
    assert state.prompt == "a red ball"


@pytest.mark.parametrize(
    "kept",
    [
        "[" * 100_000,
        json.dumps({"model": DEMO_T2V.key, "prompt": "half \ud83d"}),
        json.dumps({"model": DEMO_T2V.key, "width": "1280²", "fps": ENDLESS}),
        json.dumps({"model": DEMO_T2V.key, "image": ["0" * 64, int(HUGE), 1]}),
        json.dumps({"model": {}, "prompt": []}),
        '{"model": "demo-t2v", "image": ' + ENDLESS + "}",
    ],
)
def test_any_draft_opens_a_form_that_can_be_sent(state: FormState, kept: str) -> None:
    state.draft = kept
    call(state, "load")
    state.prompt.encode()
    call(state, "change", "prompt", "a red ball")
    assert state.model
    assert state.prompt == "a red ball"


@pytest.fixture
def with_loras(state: FormState, tmp_path: Path) -> FormState:
    """A form whose model is there and whose folder holds two LoRAs: one fits in part only."""
    for name, extra in (("style", {}), ("more", {f"{QUERY}.diff_b": (128,)})):
        shapes = {f"{QUERY}.lora_A.weight": (4, 128), f"{QUERY}.lora_B.weight": (128, 4), **extra}
        tensors(tmp_path / "loras" / f"{name}.safetensors", shapes)
    call(state, "load")
    call(state, "choose_model", DEMO_T2V.key)
    return call(state, "change", "prompt", "a red ball")


QUERY = "diffusion_model.blocks.0.self_attn.q"


def test_loras_are_added_changed_and_taken_off(with_loras: FormState) -> None:
    form = with_loras
    assert form.lora_offers == ["more.safetensors", "style.safetensors"]
    call(form, "add_lora", "style.safetensors")
    call(form, "strengthen", 0, "0.5")
    assert form.loras == "style.safetensors:0.5"
    assert "loras" not in form.errors
    call(form, "strengthen", 0, "")
    assert "cannot be “”" in form.errors["loras"]
    call(form, "strengthen", 0, "5:1")
    assert "cannot be “51”" in form.errors["loras"]
    call(form, "add_lora", "no such file")
    assert [row.name for row in form.lora_rows] == ["style.safetensors"]
    call(form, "drop_lora", 0)
    assert (form.loras, form.lora_rows, form.errors.get("loras")) == ("", [], None)


def test_one_that_fits_in_part_asks_for_consent(with_loras: FormState) -> None:
    form = with_loras
    call(form, "add_lora", "more.safetensors")
    assert form.part_asked
    assert "has no place for 1 of the 3" in form.errors["loras"]
    call(form, "allow_part", 0, True)
    assert not form.part_asked
    assert "loras" not in form.errors
    assert form.lora_rows[0].partly


def test_the_draft_keeps_the_list(with_loras: FormState) -> None:
    call(with_loras, "add_lora", "style.safetensors")
    call(with_loras, "strengthen", 0, "0.25")
    again = FormState(_reflex_internal_init=True)  # type: ignore[call-arg]
    again.draft = with_loras.draft
    call(again, "load")
    assert again.lora_rows == with_loras.lora_rows != []


@pytest.mark.parametrize(("index", "value"), [(7, "1"), (-1, "1"), (0, HUGE)])
def test_a_row_that_is_not_there_changes_nothing(
    with_loras: FormState, index: int, value: str
) -> None:
    call(with_loras, "add_lora", "style.safetensors")
    call(with_loras, "strengthen", index, value)
    call(with_loras, "drop_lora", 9)
    assert len(with_loras.lora_rows) == 1
    assert len(with_loras.loras) < 50


def test_turbo_brings_its_lora_and_exact_takes_it_away(state: FormState, tmp_path: Path) -> None:
    for half in ("high", "low"):
        shapes = {f"{QUERY}.lora_A.weight": (1, 5120), f"{QUERY}.lora_B.weight": (5120, 1)}
        tensors(tmp_path / "loras" / f"lightning_4steps_{half}_noise.safetensors", shapes)
    tensors(tmp_path / "loras" / "style.safetensors", {**shapes})
    call(state, "load")
    call(state, "choose_model", T2V_A14B.key)
    call(state, "add_lora", "style.safetensors")
    assert (state.speed, state.lacks_distilled) == ("Exact", False)
    call(state, "choose_speed", "Turbo")
    assert (state.speed, state.sampler, state.steps, state.guidance_low) == (
        "Turbo", "euler", "4", "1.0",
    )  # fmt: skip
    assert [row.name for row in state.lora_rows] == [
        "style.safetensors", "lightning_4steps_*_noise.safetensors",
    ]  # fmt: skip
    call(state, "drop_lora", 1)
    assert state.lacks_distilled
    call(state, "change", "steps", "6")
    assert (state.speed, state.lacks_distilled) == ("", False)
    call(state, "choose_speed", "Turbo")
    call(state, "choose_speed", "Exact")
    assert (state.speed, state.steps, state.shift) == ("Exact", "40", "12.0")
    assert [row.name for row in state.lora_rows] == ["style.safetensors"]
    call(state, "choose_speed", "Warp")
    assert state.speed == "Exact"


def test_lossy_speeds_say_so_and_bad_ones_are_not_offered(state: FormState) -> None:
    call(state, "load")
    call(state, "choose_model", T2V_A14B.key)
    assert state.speeds == ["Exact", "Balanced", "Fast", "Turbo"]
    assert state.speed_note == ""
    call(state, "choose_speed", "Fast")
    assert (state.speed, state.quantization, state.step_cache) == ("Fast", "int8-dynamic", "0.1")
    assert "lossy" in state.speed_note and "not measured" in state.speed_note
    here = form.services().submission.check(LOCAL_PERSON, {"model": T2V_A14B.key}).device
    form.services().quality.keep(
        here, T2V_A14B.key, Calibration(psnr={"balanced": 25.0, "fast": 31.4})
    )
    call(state, "choose_speed", "Balanced")
    assert state.speeds == ["Exact", "Fast", "Turbo"]
    assert "25 dB" in state.speed_note, "what was chosen before says how it is"
    call(state, "choose_speed", "Exact")
    assert (state.speed, state.quantization, state.step_cache) == ("Exact", "none", "0")
    assert state.speed_note == ""


def test_turbo_takes_no_lora_of_another_model(state: FormState, tmp_path: Path) -> None:
    shapes = {f"{QUERY}.lora_A.weight": (1, 3072), f"{QUERY}.lora_B.weight": (3072, 1)}
    tensors(tmp_path / "loras" / "lightning.safetensors", shapes)
    call(state, "load")
    call(state, "choose_model", T2V_A14B.key)
    call(state, "choose_speed", "Turbo")
    assert (state.lora_rows, state.lacks_distilled) == ([], True)
