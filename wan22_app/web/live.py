"""Live updates: one tailer and one broadcaster for each web process.

The tailer builds a snapshot whenever the database has changed; the broadcaster pushes changed
fields to each connected tab, on a task of its own, newest value first. A busy tab is skipped and
caught up later, so a slow client delays nobody.
"""

import asyncio
import logging
from typing import Any

import reflex as rx

from wan22_app.bootstrap import Services, services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.web import snapshot, words
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.views import JobView, MachineView, OutputView, ProgressView

log = logging.getLogger(__name__)

PERIOD_S = 0.25
MACHINE_EVERY = 20
"""Rounds between two looks at the machine's memory: every five seconds."""


class LiveState(rx.State):
    """What changes by itself. Lists are page sized; the hot part is small and apart."""

    ready: bool = False
    focus: JobView = JobView()
    running: list[JobView] = []
    waiting: list[JobView] = []
    recent: list[JobView] = []
    results: list[OutputView] = []
    progress: ProgressView = ProgressView()
    machine: MachineView = MachineView()
    start: str = words.STARTS_NOW
    button: str = words.GENERATE

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Show the truth at once: a reload or a reconnect starts from the database."""
        taken = await asyncio.to_thread(snapshot.take, services(), person_of(self))
        machine = await asyncio.to_thread(snapshot.machine, services())
        self._accept({**vars(taken), "machine": machine, "ready": True})

    def _accept(self, values: dict[str, Any]) -> None:
        """Assign what differs: an equal value would be sent all the same."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


class Broadcaster:
    """Keeps the newest values and brings every tab up to them."""

    def __init__(self, app: rx.App):
        self._app = app
        self._revision = 0
        self._values: dict[str, Any] = {}
        self._sent: dict[str, int] = {}
        self._in_flight: dict[str, asyncio.Task[None]] = {}

    def publish(self, values: dict[str, Any]) -> None:
        """Take newer values; nothing happens when they are equal."""
        if any(self._values.get(name) != value for name, value in values.items()):
            self._values = {**self._values, **values}
            self._revision += 1

    @property
    def watched(self) -> bool:
        """Whether any tab is connected."""
        return bool(self._tabs())

    def push_round(self) -> None:
        """Start a push for each connected tab that is behind and not busy."""
        tabs = self._tabs()
        self._sent = {tab: revision for tab, revision in self._sent.items() if tab in tabs}
        for tab in tabs - self._in_flight.keys():
            if self._sent.get(tab) != self._revision:
                self._in_flight[tab] = asyncio.create_task(self._push(tab))

    def _tabs(self) -> set[str]:
        namespace = self._app.event_namespace
        return set(namespace.token_to_sid) if namespace else set()

    async def _push(self, tab: str) -> None:
        revision, values = self._revision, self._values
        try:
            token = rx.BaseStateToken(ident=tab, cls=LiveState)
            async with self._app.modify_state(token) as root:
                live = await root.get_state(LiveState)
                live._accept(values)
            # Remembered per tab: a tab that was busy gets the last value of a burst later.
            self._sent[tab] = revision
        except Exception:
            log.exception("a push failed")
        finally:
            self._in_flight.pop(tab, None)


class Tailer:
    """Follows the database for the broadcaster."""

    def __init__(self, app: Services, broadcaster: Broadcaster):
        self._app = app
        self._broadcaster = broadcaster
        self._seen = -1
        self._round = 0
        self._busy = False

    async def run(self) -> None:
        """A lifespan task: an exception here would end it for good, so all are caught."""
        while True:
            try:
                await self._look()
                self._broadcaster.push_round()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("a live round failed")
            await asyncio.sleep(PERIOD_S)

    async def _look(self) -> None:
        # Nobody looks: no query, so an idle app costs nothing.
        if not self._broadcaster.watched:
            return
        if self._round % MACHINE_EVERY == 0:
            machine = await asyncio.to_thread(snapshot.machine, self._app)
            self._broadcaster.publish({"machine": machine})
        self._round += 1
        revision = await asyncio.to_thread(self._app.jobs.latest_revision)
        # A running job's clock moves although its row does not.
        if revision != self._seen or self._busy:
            taken = await asyncio.to_thread(snapshot.take, self._app, LOCAL_PERSON)
            self._seen, self._busy = revision, bool(taken.running)
            self._broadcaster.publish({**vars(taken), "ready": True})
