"""The dispatcher process: ``python -m wan22_app.dispatcher`` or ``wan22 dispatch``."""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from filelock import Timeout

from wan22_app.adapters.bell import Doorkeeper
from wan22_app.adapters.locks import DISPATCHER, anyone_attached, draining, lock
from wan22_app.bootstrap import (
    build_dispatcher,
    build_fetching,
    build_gallery,
    build_monitoring,
    make_folders,
)
from wan22_app.domain.errors import CannotStart
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.gallery import Gallery
from wan22_app.services.monitoring import Monitoring
from wan22_app.settings import PROJECT, Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
RELOAD_GRACE_S = 6.0
"""Longer than a hot reload leaves nobody attached, short enough to free the card in ten seconds."""
LOCK_PATIENCE_S = 0.5
"""Somebody who only looks whether the lock is held holds it for a moment."""
LOG_BYTES = 2_000_000
CANNOT_START = 2
CLEAR_EVERY_S = 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Own the queue until told to stop, replaced or left alone. 0 also when another one owns it."""
    parser = argparse.ArgumentParser(prog="wan22_app.dispatcher")
    parser.add_argument("--attached", action="store_true", help="end when no web is attached")
    args = parser.parse_args(argv)
    return own(Settings(), build_dispatcher, attached=args.attached)


def own(settings: Settings, build: Callable[[Settings], Dispatcher], *, attached: bool) -> int:
    """Own the queue with the dispatcher that ``build`` makes."""
    make_folders(settings)
    held = lock(settings.locks, DISPATCHER)
    try:
        held.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        sys.stdout.write("Another dispatcher owns the queue already.\n")
        return 0
    with held:
        _log_to(settings.logs / "dispatcher.log")
        _serve(settings, build(settings), attached=attached)
    return 0


@dataclass
class Stop:
    """Set by a signal: a handler may do little more than this."""

    asked: bool = False


def _serve(settings: Settings, dispatcher: Dispatcher, *, attached: bool) -> None:
    stop = _stop_on_signals()
    executor = dispatcher.around.executor
    doorkeeper = Doorkeeper(settings.locks, executor.wake)
    reasons = Reasons(settings, attached=attached)
    sampler = Sampler(build_monitoring(settings), settings.refresh_seconds)
    bin_keeper = BinKeeper(build_gallery(settings))
    fetching = build_fetching(settings, executor.wake)
    log.info("the queue is ours")
    try:
        while not stop.asked and not reasons.to_end(idle=dispatcher.idle):
            if draining(settings.locks):
                dispatcher.drain()
            _tick(dispatcher.tick)
            _tick(fetching.tick)
            bin_keeper.look()
            executor.wait(LOOK_EVERY_S)
    finally:
        sampler.close()
        doorkeeper.close()
        try:
            fetching.stop()
        finally:
            # A full disk must not keep the engines running: their jobs are rescued next time.
            dispatcher.stop()
        log.info("ended")


def _tick(tick: Callable[[], None]) -> None:
    """One round; a failing database must not end the process that guards the running job."""
    try:
        tick()
    except Exception:
        log.exception("a round failed")
        time.sleep(LOOK_EVERY_S)


class BinKeeper:
    """Removes for good what has lain in the bin for a week: at the start, then once an hour."""

    def __init__(self, gallery: Gallery):
        self._gallery = gallery
        self._next = float("-inf")

    def look(self) -> None:
        """Do it when it is time; a failure waits for the next hour."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + CLEAR_EVERY_S
        try:
            removed = self._gallery.purge_overdue()
        except Exception:
            log.exception("the bin could not be cleared")
        else:
            if removed:
                log.info("removed %d videos out of the bin", removed)


class Sampler:
    """Samples the machine's figures on a thread of its own: a driver that hangs holds up no job."""

    def __init__(self, monitoring: Monitoring, every_s: float):
        self._monitoring = monitoring
        self._every_s = every_s
        self._over = threading.Event()
        threading.Thread(target=self._run, name="figures", daemon=True).start()

    def close(self) -> None:
        """Take no further sample."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._monitoring.sample()
            except Exception:
                log.exception("no sample could be taken")


def _stop_on_signals() -> Stop:
    stop = Stop()

    def handler(_number: int, _frame: object) -> None:
        stop.asked = True

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    return stop


class Reasons:
    """Why a dispatcher ends by itself."""

    def __init__(self, settings: Settings, *, attached: bool):
        self._locks = settings.locks
        self._attached = attached
        self._code = fingerprint(PROJECT / "wan22_app")
        self._looked_at = time.monotonic()
        self._alone_since: float | None = None

    def to_end(self, *, idle: bool) -> bool:
        """True when nobody wants it any more, or when its code has changed while it was idle."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return False
        self._looked_at = now
        if idle and draining(self._locks):
            log.info("drained: nothing runs, and nothing more is started")
            return True
        if idle and fingerprint(PROJECT / "wan22_app") != self._code:
            log.info("the code has changed: the next dispatcher takes over")
            return True
        return self._attached and self._abandoned(now)

    def _abandoned(self, now: float) -> bool:
        if anyone_attached(self._locks):
            self._alone_since = None
            return False
        if self._alone_since is None:
            self._alone_since = now
        return now - self._alone_since >= RELOAD_GRACE_S


def fingerprint(package: Path) -> int:
    """Changes when any source file or migration does."""
    files = [*package.rglob("*.py"), *(package.parent / "alembic" / "versions").glob("*.py")]
    return hash(frozenset((str(file), file.stat().st_mtime_ns) for file in files))


def _log_to(file: Path) -> None:
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s"
    )


def guarded() -> int:
    """``main`` with the reason as its last words when it cannot start."""
    try:
        return main()
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(guarded())
