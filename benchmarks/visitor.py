"""Somebody who submits on the page, whatever becomes of the web meanwhile."""

import asyncio
import contextlib
import contextvars
import secrets
import threading
from collections.abc import Callable

from socketio.exceptions import SocketIOError

from benchmarks.installation import Installation
from tests.tab import Tab, close, handler

FORM = {"width": "64", "height": "64", "frames": "5", "steps": "8", "prompt": "a red ball"}
PAUSE_S = 0.05
PAGES = {"/": "form_state.load", "/queue": "queue_state.load", "/outputs": "outputs_state.load"}
LOST = (ConnectionError, SocketIOError)
"""What a tab meets whose web has been killed."""


class Visitor(threading.Thread):
    """Submits while ``wants`` says so; a context manager that ends when its block does.

    A submission that was not answered is sent again with its key, as the page does. ``confirmed``
    holds the keys that the page has confirmed, ``repeated`` how often one was sent again.
    """

    def __init__(self, installation: Installation, wants: Callable[[], bool]):
        super().__init__(name="visitor", daemon=True)
        self._installation, self._wants = installation, wants
        self._over = threading.Event()
        self._context = contextvars.copy_context()  # Reflex keeps the app's handlers in one
        self._fault: Exception | None = None
        self.confirmed: set[str] = set()
        self.repeated = 0

    def __enter__(self) -> "Visitor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        if self._fault is not None:
            raise self._fault

    def run(self) -> None:
        """Until the block has ended, or something happened that no kill explains."""
        try:
            self._context.run(asyncio.run, self._visit())
        except Exception as fault:
            self._fault = fault

    async def _visit(self) -> None:
        tab, key, sent = None, "", False
        while not self._over.is_set():
            if not key and not self._wants():
                await asyncio.sleep(PAUSE_S)
                continue
            key = key or secrets.token_hex(16)
            try:
                tab = tab or await self._come()
                self.repeated += sent
                sent = True
                await submit(tab, key)
            except LOST:
                await leave(tab)
                tab = None
                await asyncio.sleep(PAUSE_S)
            else:
                self.confirmed.add(key)
                key, sent = "", False
        await leave(tab)

    async def _come(self) -> Tab:
        if self._installation.web is None:
            raise ConnectionError("no web was started")
        tab = Tab(self._installation.web)
        try:
            return await arrive(tab, "/")
        except LOST:
            await leave(tab)
            raise


async def arrive(tab: Tab, path: str) -> Tab:
    """Open one of the pages; the form of the first one is filled in."""
    await (await tab.open()).load()
    await tab.send(handler(PAGES[path]), {}, path)
    if path == "/":
        await tab.send(handler("form_state.choose_model"), {"key": "demo-t2v"})
        for name, value in FORM.items():
            await tab.send(handler("form_state.change"), {"name": name, "value": value})
        await tab.until(lambda seen: seen.get("prompt") == FORM["prompt"])
    return tab


async def submit(tab: Tab, key: str) -> None:
    """Press Generate and wait for the page's word that the job is queued."""
    before = tab.seen["key"]
    await tab.send(handler("form_state.submit"), {"key": key})
    await tab.until(lambda seen: seen["key"] != before)


async def leave(tab: Tab | None) -> None:
    """Close the tab, whether or not somebody is at the other end."""
    if tab is not None:
        with contextlib.suppress(*LOST):
            await close(tab)
