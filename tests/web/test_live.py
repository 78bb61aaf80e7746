"""The broadcaster over tabs that cannot be brought up to date."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from wan22_app.web import live
from wan22_app.web.live import Broadcaster, LiveState


class Broken:
    """A tab's list that cannot be read; counts how often it was tried."""

    def __init__(self) -> None:
        self.tried = 0

    async def _catch_up(self) -> None:
        self.tried += 1
        raise RuntimeError("this list cannot be read")


class App:
    """One tab, with its live values and its lists."""

    def __init__(self, *followers: Any):
        self.event_namespace = SimpleNamespace(token_to_sid={"tab": "sid"})
        self.live = LiveState(_reflex_internal_init=True)  # type: ignore[call-arg]
        self._states = {LiveState: self.live, **{type(each): each for each in followers}}

    @contextlib.asynccontextmanager
    async def modify_state(self, _token: object) -> AsyncIterator[Any]:
        async def get_state(kind: type) -> Any:
            return self._states[kind]

        yield SimpleNamespace(get_state=get_state)


def rounds(broadcaster: Broadcaster, count: int) -> None:
    async def run() -> None:
        for _ in range(count):
            broadcaster.push_round()
            await asyncio.gather(*broadcaster._in_flight.values())

    asyncio.run(run())


def test_a_list_that_cannot_be_read_takes_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: clock.now))
    broken = Broken()
    app = App(broken)
    broadcaster: Any = Broadcaster(app, [Broken])  # type: ignore[arg-type, list-item]
    broadcaster.publish({"start": "soon"})
    broadcaster.lists_changed(1)
    rounds(broadcaster, 5)
    assert app.live.start == "soon", "live values come nevertheless"
    assert broken.tried == 1, "and the log is not filled"
    broadcaster.publish({"start": "later"})
    clock.now = live.REST_S + 1
    rounds(broadcaster, 5)
    assert (app.live.start, broken.tried) == ("later", 2)
