"""The form's start image: what its handlers do with good and with hostile payloads."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from wan22_app.adapters.images import GatedImages
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.catalog import Size
from wan22_app.domain.generation import ImageRef
from wan22_app.settings import Settings
from wan22_app.web import words
from wan22_app.web.pictures import asked_size, from_draft, moved, picture_view
from wan22_app.web.state import form, start_image
from wan22_app.web.state.form import FormState

WIDE = ImageRef(sha256="0" * 64, width=300, height=100)
SQUARE = Size(width=64, height=64)


def test_the_frame_has_exactly_the_asked_shape() -> None:
    view = picture_view(WIDE, Size(width=1280, height=704))
    assert view.ratio == "20 / 11"
    assert (view.places, view.place, view.percent) == (["Left", "Centre", "Right"], "Centre", "50")
    tall = picture_view(ImageRef(sha256="0" * 64, width=100, height=300, focus_y=1.0), SQUARE)
    assert (tall.places[0], tall.place, tall.position) == ("Top", "Bottom", "50.00% 100.00%")


def test_nothing_is_offered_where_nothing_is_cut() -> None:
    assert picture_view(WIDE, Size(width=96, height=32)).places == []
    assert picture_view(WIDE, None).ratio == "3 / 1"
    assert moved(WIDE, Size(width=96, height=32), 0.0) == WIDE


def test_only_the_side_that_is_cut_moves_and_never_past_the_end() -> None:
    assert moved(WIDE, SQUARE, 7.0).focus == (1.0, 0.5)
    assert moved(WIDE, Size(width=64, height=16), -1.0).focus == (0.5, 0.0)


@pytest.mark.parametrize("typed", ["", "x", "-4", "0", "٣", "1.5", "²"])
def test_a_size_that_is_none_frames_the_whole_image(typed: str) -> None:
    assert asked_size(typed, "64") is None
    assert asked_size("64", typed) is None


@pytest.mark.parametrize(
    "kept",
    [None, 7, "x", [], ["0" * 64], {"sha256": "x"}, ["0" * 64, -1, 4], {"a": 1}, [[], {}, 0]],
)
def test_a_draft_may_hold_anything(kept: object) -> None:
    assert from_draft(kept) is None


def test_a_draft_of_the_last_version_is_read() -> None:
    assert from_draft(["0" * 64, 300, 100]) == WIDE
    assert from_draft(WIDE.model_dump()) == WIDE


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    for module in (form, start_image):
        monkeypatch.setattr(module, "services", lambda: built)
    return built


@pytest.fixture
def state(services: Services) -> FormState:
    """A tab whose form has a transparent image, wider than its frame."""
    made = FormState(_reflex_internal_init=True)  # type: ignore[call-arg]
    buffer = io.BytesIO()
    Image.new("RGBA", (300, 100), (255, 0, 0, 90)).save(buffer, "PNG")
    images = services.images
    assert isinstance(images, GatedImages)
    made.width, made.height = "64", "64"
    made._set_image(images.accept(buffer.getvalue()))
    return made


Handler = Callable[..., Coroutine[Any, Any, Any]]


def call(state: FormState, name: str, *payload: object) -> FormState:
    """An event as any client may send it; the judgement of the whole form is left out."""

    async def no_judgement() -> None:
        state._frame()

    object.__setattr__(state, "_judge", no_judgement)
    handler: Handler = FormState.event_handlers[name].fn
    asyncio.run(handler(state, *payload))
    return state


def test_the_background_is_exchanged(state: FormState) -> None:
    before = state.picture.sha256
    assert state.picture.transparent
    assert call(state, "choose_background", "White").picture.background == "White"
    assert state.picture.sha256 != before
    assert call(state, "choose_background", "Black").picture.sha256 == before


def test_the_crop_is_moved_by_name_and_by_number(state: FormState) -> None:
    assert call(state, "choose_place", "Right").picture.position == "100.00% 50.00%"
    assert call(state, "move_crop", "25").picture.position == "25.00% 50.00%"
    assert state.picture.place == ""


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("choose_background", "pink"), ("choose_background", None), ("choose_background", []),
        ("choose_place", "Top"), ("choose_place", {}), ("choose_place", [[]]),
        ("move_crop", "nan"), ("move_crop", None), ("move_crop", "x"), ("move_crop", [1]),
        ("move_crop", "inf"),
    ],
)  # fmt: skip
def test_what_no_page_sends_changes_nothing(state: FormState, name: str, payload: object) -> None:
    before = state.picture
    assert call(state, name, payload).picture == before


def test_a_background_without_its_original_is_said(state: FormState, tmp_path: Path) -> None:
    for file in tmp_path.rglob("*.original.png"):
        file.unlink()
    call(state, "choose_background", "White")
    assert "no longer here" in state._image_fault


@pytest.mark.parametrize(
    ("payload", "words_"),
    [(1, "larger than 30 MB"), (2, words.ONE_IMAGE), (None, "larger"), ("x", "larger")],
)
def test_what_the_page_did_not_send_is_said(state: FormState, payload: object, words_: str) -> None:
    assert words_ in call(state, "refuse_image", payload)._image_fault
    assert state.picture.sha256 == ""
