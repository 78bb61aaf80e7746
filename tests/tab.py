"""Browser tabs without a browser, over Reflex's own websocket."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import socketio
from reflex_base.registry import RegistrationContext

from tests.server import PATIENCE_S, Server
from wan22_app.wan22_app import app as reflex_app

NAMESPACE = "/_event"


def handler(end: str) -> str:
    """The full name of the one handler that ends like this."""
    assert reflex_app is not None
    (name,) = [n for n in RegistrationContext.get().event_handlers if n.endswith(end)]
    return name


class BrowserJson:
    """JSON as a browser writes it: half a character travels as an escape."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(value, **{**options, "ensure_ascii": True})


class Tab:
    """A browser tab without a browser: a token, one socket, and what the server told it."""

    def __init__(self, server: Server):
        self._server = server
        self.client = socketio.AsyncClient(reconnection=False, json=BrowserJson)
        self.seen: dict[str, Any] = {}
        self._told = asyncio.Event()
        self.client.on("event", self._take, namespace=NAMESPACE)
        self.client.on("disconnect", self._part, namespace=NAMESPACE)

    async def _take(self, update: dict[str, Any]) -> None:
        # Several states have a field of the same name: the live one's counts.
        states = sorted(update.get("delta", {}).items(), key=lambda s: s[0].endswith("live_state"))
        for _, variables in states:
            self.seen |= {k.removesuffix("_rx_state_"): v for k, v in variables.items()}
        self._told.set()

    async def _part(self, *_: object) -> None:
        self._told.set()

    async def open(self, origin: str | None = None) -> "Tab":
        await self.client.connect(
            f"{self._server.url}?token={uuid.uuid4()}",
            headers={"Origin": origin or self._server.url},
            namespaces=[NAMESPACE],
            transports=["websocket"],
            socketio_path=NAMESPACE,
            wait_timeout=10,
        )
        return self

    async def send(self, name: Any, payload: Any, path: str = "/") -> None:
        """Emit one event exactly as given, however wrong, from a page."""
        place = {"pathname": path, "asPath": path}
        event = {"name": name, "payload": payload, "router_data": place}
        await self.client.emit("event", event, namespace=NAMESPACE)

    async def load(self) -> "Tab":
        await self.send(handler("state.hydrate"), {})
        await self.send(handler("live_state.load"), {})
        await self.until(lambda seen: seen.get("ready") is True)
        return self

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Return as soon as what the server told fulfils the condition.

        Raises ConnectionError when the server is gone before.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self.seen):
            self._told.clear()
            if not self.client.connected:
                raise ConnectionError("the server is gone")
            try:
                await asyncio.wait_for(self._told.wait(), deadline - time.monotonic())
            except TimeoutError:
                raise AssertionError((self.seen, self._server.log.read_text()[-3000:])) from None


async def close(*tabs: Tab) -> None:
    for tab in tabs:
        await tab.client.disconnect()
        # The client closes its HTTP session a moment later; wait, else it warns as leaked.
        await tab.client.shutdown()
