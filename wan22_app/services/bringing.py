"""Bring one repository's weights to this machine: ask, check the disk, fetch, verify, publish.

Whatever ends it, what has come stays, and the next start goes on from there.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from wan22_app.domain.download import Amount, Listing, RemoteFile
from wan22_app.domain.errors import Problem, UserError
from wan22_app.ports import Clock, Hub, HubTrouble, IncomingWeights

log = logging.getLogger(__name__)

WINDOW_S = 4.0
"""Speed is that of the last seconds: an average over hours says nothing about now."""
MOST_WRONG = 2


@dataclass(frozen=True)
class Patience:
    """How long to keep asking a hub that fails: attempts in a row that bring nothing."""

    attempts: int = 6
    first_s: float = 1.0
    most_s: float = 60.0
    report_every_s: float = 0.5
    sleep: Callable[[float], None] = time.sleep

    def retrying(self) -> Retrying:
        """Exponential backoff with full jitter, and never sooner than the hub asked for."""
        growing = wait_random_exponential(multiplier=self.first_s, max=self.most_s)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait_s if isinstance(error, HubTrouble) else 0.0
            return max(growing(state), min(asked, self.most_s))

        return Retrying(
            retry=retry_if_exception_type(HubTrouble),
            stop=stop_after_attempt(self.attempts),
            wait=wait,
            sleep=self.sleep,
            reraise=True,
        )


@dataclass(frozen=True)
class Wanted:
    """Which weights, and who hears how far they are; ``report`` may raise to end it."""

    key: str
    repo: str
    report: Callable[[Amount], None]


@dataclass
class Meter:
    """Counts bytes, and tells how far and how fast on a thread of its own.

    A hub that falls silent holds up whoever reads from it, but the page must see the speed fall.
    A context manager.
    """

    clock: Clock
    every_s: float
    report: Callable[[Amount], None]
    total: int = 0
    done: int = 0
    _said: Amount | None = field(default=None, init=False)
    _marks: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]], init=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _fault: Exception | None = field(default=None, init=False)
    _teller: threading.Thread = field(init=False)

    def __enter__(self) -> "Meter":
        self.say()
        self._teller = threading.Thread(target=self._tell, name="meter", daemon=True)
        self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._teller.join()

    def add(self, count: int) -> None:
        """Some bytes came; a negative count takes them back. Raises what a report has raised."""
        self.done += count
        if self._fault is not None:
            raise self._fault

    def say(self) -> None:
        """Report if anything is new."""
        now, done = self.clock.monotonic(), self.done
        self._marks = [mark for mark in self._marks if now - mark[0] <= WINDOW_S]
        self._marks.append((now, done))
        since, before = self._marks[0]
        speed = max(0, done - before) / (now - since) if now > since else 0.0
        amount = Amount(done=done, total=self.total, per_second=speed)
        if amount != self._said:
            self._said = amount
            self.report(amount)

    def _tell(self) -> None:
        while not self._over.wait(self.every_s):
            try:
                self.say()
            except Exception as error:
                self._fault = error
                return


@dataclass(frozen=True)
class Bringing:
    """The downloader's one use case. Raises UserError; HubTrouble when later may be better."""

    hub: Hub
    incoming: IncomingWeights
    clock: Clock
    patience: Patience = field(default_factory=Patience)

    def bring(self, wanted: Wanted) -> None:
        """Return when the library has the model."""
        try:
            # An earlier start that ended just before its verdict: nothing is fetched again.
            if not self.incoming.is_published(wanted.repo, wanted.key):
                self._bring(wanted, self._listing(wanted.repo))
        except UserError as error:
            if error.problem.code == "hub_changed":
                # The kept listing names what the hub no longer has: the next start asks anew.
                self.incoming.forget(wanted.repo)
            raise
        except OSError as error:
            raise UserError(_no_disk(error)) from error

    def _bring(self, wanted: Wanted, listing: Listing) -> None:
        repo = wanted.repo
        self.incoming.remember(repo, listing)
        here = sum(self.incoming.present(repo, file) for file in listing.files)
        self.incoming.require_room(listing.total_bytes - here)
        every = self.patience.report_every_s
        with Meter(self.clock, every, wanted.report, listing.total_bytes, here) as meter:
            for file in sorted(listing.files, key=lambda each: each.size):
                self._file(repo, listing.commit, file, meter)
        meter.say()
        self.incoming.publish(repo, wanted.key)

    def _listing(self, repo: str) -> Listing:
        """The one begun with, else the hub's newest, else what the hub cache holds."""
        begun = self.incoming.remembered(repo)
        if begun is not None:
            return begun
        try:
            return self.hub.listing(repo)
        except HubTrouble:
            cached = self.hub.cached(repo)
            if cached is not None:
                return cached
        return self.patience.retrying()(self.hub.listing, repo)

    def _file(self, repo: str, commit: str, file: RemoteFile, meter: Meter) -> None:
        for _ in range(MOST_WRONG):
            if self.incoming.is_done(repo, file):
                return
            self._fetch(repo, commit, file, meter)
            if self.incoming.accept(repo, file):
                return
            # Wrong bytes are thrown away whole; a fault of the way may not come twice.
            meter.add(-file.size)
        raise UserError(_wrong(repo, file))

    def _fetch(self, repo: str, commit: str, file: RemoteFile, meter: Meter) -> None:
        """Until the part is whole."""
        part = self.incoming.part(repo, file)

        def more() -> None:
            before = meter.done
            try:
                self.hub.fetch(repo, commit, file, part, meter.add)
            except HubTrouble as error:
                raise (Cut(error) if meter.done > before else error) from None

        while True:
            try:
                return self.patience.retrying()(more)
            except Cut as cut:
                log.info("%s: cut at %d bytes: %s", file.path, meter.done, cut)
                self.patience.sleep(self.patience.first_s)


class Cut(Exception):
    """The way broke after some bytes had come: attempts count anew."""


def _wrong(repo: str, file: RemoteFile) -> Problem:
    return Problem(
        code="weights_wrong",
        what=f"{file.path} of {repo} arrived with other bytes than the hub announced, twice.",
        cause="Something on the way changes files, or this machine's memory or disk is faulty.",
        cure="Try again; if it comes back, use another network or check the disk.",
    )


def _no_disk(error: OSError) -> Problem:
    return Problem(
        code="weights_unwritable",
        what="The weights cannot be written to the models folder.",
        cause=f"{error.strerror or type(error).__name__}.",
        cure="Correct the folder's rights or make room, then try again.",
        evidence=str(error)[:300],
    )
