"""Handlers of the outputs page: paging, and payloads that no page of ours would send."""

import asyncio
import io
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.values import PLAN, a_request, an_output
from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.ports import NewJob
from wan22_app.settings import Settings
from wan22_app.web.state import brought, detail, outputs
from wan22_app.web.state.brought import BroughtState, shown_name
from wan22_app.web.state.detail import DetailState, moment
from wan22_app.web.state.outputs import OutputsState

PAGE = 4
MOST = 10_000


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """An installation of its own, with small pages."""
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    migrate(built.settings.database)
    for module in (outputs, detail, brought):
        monkeypatch.setattr(module, "services", lambda: built)
    monkeypatch.setattr(outputs, "PAGE", PAGE)
    monkeypatch.setattr(outputs, "MOST_PAGES", 3)
    return built


@pytest.fixture
def publish(app: Services) -> Callable[[int], list[str]]:
    """Insert outputs, each younger than the one before; ids oldest first."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made: list[str] = []

    def some(count: int) -> list[str]:
        for _ in range(count):
            new = NewJob(request=a_request(), key=f"k{len(made)}")
            job = app.jobs.claim(app.jobs.add(LOCAL_PERSON, new, MOST), PLAN)
            assert job is not None
            at = start + timedelta(seconds=len(made))
            output = an_output(job).model_copy(update={"created_at": at})
            assert app.jobs.succeed(job.id, job.epoch, output)
            made.append(job.id)
        return made

    return some


class Tab:
    """One tab's states, as the event processor would hold them."""

    def __init__(self) -> None:
        self.outputs = OutputsState(_reflex_internal_init=True)
        self.detail = DetailState(_reflex_internal_init=True)
        self.brought = BroughtState(_reflex_internal_init=True)

    def call(self, state: Any, handler: str, *payload: object) -> Any:
        return asyncio.run(getattr(type(state), handler).fn(state, *payload))

    def shown(self) -> list[str]:
        return [tile.id for tile in self.outputs.tiles]


@pytest.fixture
def tab(app: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tab]:
    tab = Tab()

    async def sibling(self: object, state: type) -> object:
        siblings = (tab.outputs, tab.detail, tab.brought)
        found = [each for each in siblings if type(each) is state]
        return found[0] if found else SimpleNamespace(shown=SimpleNamespace(id=""))

    for state in (OutputsState, DetailState, BroughtState):
        monkeypatch.setattr(state, "get_state", sibling)
        monkeypatch.setattr(
            state, "router", SimpleNamespace(url=SimpleNamespace(path="/outputs/")), raising=False
        )
    yield tab


def test_the_window_slides_down_and_up_again(tab: Tab, publish: Callable[[int], list[str]]) -> None:
    newest_first = publish(22)[::-1]
    tab.call(tab.outputs, "load")
    assert (tab.shown(), tab.outputs.more) == (newest_first[:4], True)
    for _ in range(2):
        tab.call(tab.outputs, "load_more")
    assert (tab.shown(), tab.outputs.newer) == (newest_first[:12], False)
    for _ in range(5):
        tab.call(tab.outputs, "load_more")
    assert (tab.shown(), tab.outputs.more) == (newest_first[12:], False)
    assert tab.outputs.newer
    for _ in range(5):
        tab.call(tab.outputs, "load_newer")
    assert tab.shown() == newest_first[:12]
    assert (tab.outputs.newer, tab.outputs.more) == (False, True)


def test_the_window_follows_what_others_do(
    tab: Tab, app: Services, publish: Callable[[int], list[str]]
) -> None:
    publish(6)
    tab.call(tab.outputs, "load")
    ids = publish(1)
    asyncio.run(tab.outputs._catch_up())
    assert tab.shown()[0] == ids[-1]
    app.gallery.delete(LOCAL_PERSON, ids[-1])
    app.gallery.favourite(LOCAL_PERSON, ids[-2], True)
    asyncio.run(tab.outputs._catch_up())
    assert tab.shown() == ids[-2:-6:-1]
    assert tab.outputs.tiles[0].favourite


def test_nothing_is_sent_again_that_has_not_changed(
    tab: Tab, publish: Callable[[int], list[str]]
) -> None:
    publish(3)
    tab.call(tab.outputs, "load")
    before = tab.outputs.tiles
    asyncio.run(tab.outputs._catch_up())
    assert tab.outputs.tiles is before or tab.outputs.tiles == before
    tab.outputs.dirty_vars.clear()
    asyncio.run(tab.outputs._catch_up())
    assert "tiles" not in tab.outputs.dirty_vars


def test_a_deleted_video_is_closed_and_can_come_back(
    tab: Tab, publish: Callable[[int], list[str]]
) -> None:
    ids = publish(2)
    tab.call(tab.outputs, "load")
    tab.call(tab.detail, "open", ids[0])
    assert tab.detail.view.id == ids[0]
    assert tab.detail.view.gone, "these rows have no files"
    assert tab.call(tab.outputs, "delete", ids[0]) is not None
    assert (tab.shown(), tab.detail.view.id) == ([ids[1]], "")
    tab.call(tab.outputs, "restore", ids[0])
    assert tab.shown() == ids[::-1]


@pytest.mark.parametrize("payload", [None, 7, "", "0" * 32, "x" * 10_000, ["a"], {"a": 1}])
def test_ids_that_are_none_change_nothing(
    tab: Tab, publish: Callable[[int], list[str]], payload: object
) -> None:
    ids = publish(1)
    tab.call(tab.outputs, "load")
    for handler in ("delete", "restore"):
        tab.call(tab.outputs, handler, payload)
    tab.call(tab.outputs, "star", payload, True)
    for handler in ("open", "use"):
        tab.call(tab.detail, handler, payload)
    tab.call(tab.detail, "take_frame", payload, 0.5)
    assert tab.shown() == ids
    assert tab.detail.view.id == ""


@pytest.mark.parametrize("payload", [None, 7, "nonsense", ["all"], {"a": 1}, "x" * 10_000])
def test_filters_that_are_none_change_nothing(
    tab: Tab, publish: Callable[[int], list[str]], payload: object
) -> None:
    ids = publish(1)
    tab.call(tab.outputs, "load")
    tab.call(tab.outputs, "choose_shelf", payload)
    tab.call(tab.outputs, "choose_model", payload)
    assert tab.shown() == ids
    tab.call(tab.outputs, "search", payload)
    assert isinstance(tab.outputs.text, str)
    assert len(tab.outputs.text) <= 200


@pytest.mark.parametrize(
    "seconds",
    [
        None,
        "1",
        True,
        math.nan,
        math.inf,
        -0.1,
        1e9,
        [1],
        {"a": 1},
        pytest.param(10**400, id="huge"),
    ],
)
def test_a_moment_that_is_none(seconds: object) -> None:
    assert moment(seconds) is None


@pytest.mark.parametrize("seconds", [0, 0.0, 1, 12.5])
def test_a_moment(seconds: float) -> None:
    assert moment(seconds) == seconds


class Upload:
    """What Reflex hands to an upload handler."""

    def __init__(self, name: object, data: bytes):
        self.name = name
        self._data = io.BytesIO(data)

    async def read(self) -> bytes:
        return self._data.read()


def test_a_file_without_recipe_is_explained_and_nothing_can_be_used(tab: Tab) -> None:
    tab.call(tab.brought, "take", [])
    assert tab.brought.title == ""
    tab.call(tab.brought, "take", [Upload("a\n<b>.mp4", b"no video at all")])
    assert tab.brought.title == "No recipe from a<b>.mp4"
    assert "no mp4 video" in tab.brought.fault
    assert tab.call(tab.brought, "use") is None
    tab.call(tab.brought, "close")
    assert (tab.brought.title, tab.brought.fault) == ("", "")


@pytest.mark.parametrize(
    ("name", "shown"), [(None, "the video"), ("", "the video"), ("\x00\x1b", "the video"),
                        ("x" * 200, "x" * 80), ("犬.mp4", "犬.mp4")],
)  # fmt: skip
def test_names_of_files_are_strangers_texts(name: object, shown: str) -> None:
    assert shown_name(name) == shown
