"""The form with texts that are no numbers, and with drafts that no page of ours has kept."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import build_services
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.settings import Settings
from wan22_app.web import counter
from wan22_app.web.state import form, start_image
from wan22_app.web.state.form import FormState

HUGE = "9" * 400
ENDLESS = "9" * 4900


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormState:
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    migrate(built.settings.database)
    for module in (form, start_image, counter):
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
