"""The dispatcher process: ``python -m wan22_app.dispatcher`` or ``wan22 dispatch``."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from filelock import Timeout

from wan22_app.adapters.bell import Doorkeeper
from wan22_app.adapters.locks import DISPATCHER, anyone_attached, lock
from wan22_app.bootstrap import build_dispatcher, make_folders
from wan22_app.services.dispatch import Dispatcher
from wan22_app.settings import PROJECT, Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
RELOAD_GRACE_S = 6.0
"""Longer than a hot reload leaves nobody attached, short enough to free the card in ten seconds."""
LOCK_PATIENCE_S = 0.5
"""Somebody who only looks whether the lock is held holds it for a moment."""
LOG_BYTES = 2_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Own the queue until told to stop, replaced or left alone. 0 also when another one owns it."""
    parser = argparse.ArgumentParser(prog="wan22_app.dispatcher")
    parser.add_argument("--attached", action="store_true", help="end when no web is attached")
    args = parser.parse_args(argv)
    settings = Settings()
    make_folders(settings)
    held = lock(settings.locks, DISPATCHER)
    try:
        held.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        sys.stdout.write("Another dispatcher owns the queue already.\n")
        return 0
    with held:
        _log_to(settings.logs / "dispatcher.log")
        _serve(settings, attached=args.attached)
    return 0


@dataclass
class Stop:
    """Set by a signal: a handler may do little more than this."""

    asked: bool = False


def _serve(settings: Settings, *, attached: bool) -> None:
    dispatcher = build_dispatcher(settings)
    stop = _stop_on_signals()
    executor = dispatcher.around.executor
    doorkeeper = Doorkeeper(settings.locks, executor.wake)
    reasons = Reasons(settings, attached=attached)
    log.info("the queue is ours")
    try:
        while not stop.asked and not reasons.to_end(idle=dispatcher.idle):
            _tick(dispatcher)
            executor.wait(LOOK_EVERY_S)
    finally:
        doorkeeper.close()
        dispatcher.stop()
        log.info("ended")


def _tick(dispatcher: Dispatcher) -> None:
    """One round; a failing database must not end the process that guards the running job."""
    try:
        dispatcher.tick()
    except Exception:
        log.exception("a round failed")
        time.sleep(LOOK_EVERY_S)


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


if __name__ == "__main__":
    sys.exit(main())
