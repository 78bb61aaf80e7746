"""Live updates: one tailer and one broadcaster for each web process.

The tailer builds a snapshot whenever the database has changed; the broadcaster pushes changed
fields to each connected tab, on a task of its own, newest value first. A busy tab is skipped and
caught up later, so a slow client delays nobody.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import reflex as rx

from wan22_app.bootstrap import Services, services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.web import snapshot, words
from wan22_app.web.model_cards import ModelCard
from wan22_app.web.plots import FiguresView, Row, Span, WarningView
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.views import DraftView, JobView, MachineView, OutputView, ProgressView

log = logging.getLogger(__name__)

PERIOD_S = 0.25
REST_S = 5.0
"""A tab that could not be brought up to date is left alone for a while, lest it fill the log."""


class LiveState(rx.State):
    """What changes by itself. Lists are page sized; the hot part is small and apart."""

    ready: bool = False
    focus: JobView = JobView()
    running: list[JobView] = []
    waiting: list[JobView] = []
    queue_paused: bool = False
    drafts: list[DraftView] = []
    results: list[OutputView] = []
    progress: ProgressView = ProgressView()
    machine: MachineView = MachineView()
    models: list[ModelCard] = []
    figures: FiguresView = FiguresView()
    series: list[Row] = []
    spans: list[Span] = []
    warnings: list[WarningView] = []
    blocked: list[WarningView] = []
    start: str = words.STARTS_NOW
    button: str = words.GENERATE

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Show the truth at once: a reload or a reconnect starts from the database."""
        taken = await asyncio.to_thread(snapshot.take, services(), person_of(self))
        machine = await asyncio.to_thread(snapshot.machine, services())
        plots = await asyncio.to_thread(snapshot.plots, services(), person_of(self))
        self._accept({**vars(taken), **vars(plots), "machine": machine, "ready": True})

    def _accept(self, values: dict[str, Any]) -> None:
        """Assign what differs: an equal value would be sent all the same."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


class Follower(rx.State, mixin=True):
    """A tab's own list that follows the database: a filtered page, say.

    ``_catch_up`` is called under the tab's lock when something that lists show has changed; it has
    no public name, or every browser could call it. It must do nothing unless the tab shows its
    page, and must not raise UserError.
    """

    async def _catch_up(self) -> None:
        """Read the list again."""
        raise NotImplementedError


class Broadcaster:
    """Keeps the newest values and brings every tab up to them.

    ``followers`` are the states, mixed with Follower, whose lists are a tab's own.
    """

    def __init__(self, app: rx.App, followers: Sequence[type[Follower]] = ()):
        self._app = app
        self._followers = followers
        self._revision = 0
        self._lists = 0
        self._values: dict[str, Any] = {}
        self._sent: dict[str, int] = {}
        self._followed: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self._in_flight: dict[str, asyncio.Task[None]] = {}

    def publish(self, values: dict[str, Any]) -> None:
        """Take newer values; nothing happens when they are equal."""
        if any(self._values.get(name) != value for name, value in values.items()):
            self._values = {**self._values, **values}
            self._revision += 1

    def lists_changed(self, lists: int) -> None:
        """Take the newest revision of the lists."""
        if lists != self._lists:
            self._lists = lists
            self._revision += 1

    @property
    def watched(self) -> bool:
        """Whether any tab is connected."""
        return bool(self._tabs())

    def push_round(self) -> None:
        """Start a push for each connected tab that is behind and not busy."""
        tabs = self._tabs()
        for known in (self._sent, self._followed, self._rests_until):
            for gone in known.keys() - tabs:
                del known[gone]
        now = time.monotonic()
        resting = {tab for tab, until in self._rests_until.items() if now < until}
        for tab in tabs - self._in_flight.keys() - resting:
            if self._sent.get(tab) != self._revision:
                self._in_flight[tab] = asyncio.create_task(self._push(tab))

    def _tabs(self) -> set[str]:
        namespace = self._app.event_namespace
        return set(namespace.token_to_sid) if namespace else set()

    async def _push(self, tab: str) -> None:
        revision, lists, values = self._revision, self._lists, self._values
        try:
            token = rx.BaseStateToken(ident=tab, cls=LiveState)
            async with self._app.modify_state(token) as root:
                live = await root.get_state(LiveState)
                live._accept(values)
                if self._followed.get(tab) == lists or await self._follow(root):
                    # Remembered per tab: a tab that was busy gets the last of a burst later.
                    self._followed[tab], self._sent[tab] = lists, revision
                else:
                    self._rests_until[tab] = time.monotonic() + REST_S
        except Exception:
            log.exception("a push failed")
            self._sent.pop(tab, None)
            self._rests_until[tab] = time.monotonic() + REST_S
        finally:
            self._in_flight.pop(tab, None)

    async def _follow(self, root: rx.State) -> bool:
        """Let a tab's own lists catch up; one that cannot takes neither the others nor the live
        values along."""
        sound = True
        for follower in self._followers:
            try:
                await (await root.get_state(follower))._catch_up()
            except Exception:
                log.exception("%s cannot follow", follower.__name__)
                sound = False
        return sound


class Tailer:
    """Follows the database for the broadcaster."""

    def __init__(self, app: Services, broadcaster: Broadcaster):
        self._app = app
        self._broadcaster = broadcaster
        self._seen = -1
        self._looked_at = float("-inf")
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
        if time.monotonic() - self._looked_at >= self._app.settings.refresh_seconds:
            self._looked_at = time.monotonic()
            machine = await asyncio.to_thread(snapshot.machine, self._app)
            plots = await asyncio.to_thread(snapshot.plots, self._app, LOCAL_PERSON)
            self._broadcaster.publish({**vars(plots), "machine": machine})
        revision = await asyncio.to_thread(self._app.jobs.latest_revision)
        self._broadcaster.lists_changed(revision.lists)
        # A running job's clock moves although its row does not.
        if revision.latest != self._seen or self._busy:
            taken = await asyncio.to_thread(snapshot.take, self._app, LOCAL_PERSON)
            self._seen, self._busy = revision.latest, bool(taken.running)
            self._broadcaster.publish({**vars(taken), "ready": True})
