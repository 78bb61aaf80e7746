"""Locks that the kernel frees when their owner dies: one dispatcher, one web, who is attached.

Lock files are never deleted while the app may run: a second process could lock the deleted file.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from wan22_app.adapters.logs import appended
from wan22_app.domain.errors import CannotStart, Problem

DISPATCHER = "dispatcher.lock"
DOWNLOADER = "downloader.lock"
WEB = "web.lock"
BACKUP = "backup.lock"
ATTACHED = "attached-"
STARTED = "dispatcher-started"
DRAIN = "drain"
LOOK_TAKES_S = 0.5
"""Somebody who only looks whether a lock is held holds it for a moment."""
START_TAKES_S = 3.0
"""A dispatcher takes its lock about a second after its start; ask no second one meanwhile."""


def lock(folder: Path, name: str) -> FileLock:
    """An operating-system lock; never the kind that a crash leaves behind."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / name, fallback_to_soft=False)


def is_held(folder: Path, name: str) -> bool:
    """Whether some process holds this lock now."""
    probe = lock(folder, name)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    probe.release()
    return False


@contextlib.contextmanager
def single_web(folder: Path, patience_s: float) -> Iterator[None]:
    """Hold the web's lock; raises CannotStart when another web keeps it.

    A hot reload starts the new process while the old one still ends, hence the patience.
    """
    with _taken(folder, WEB, _second(folder), patience_s):
        yield


def second_instance(folder: Path) -> None:
    """Raise CannotStart when a web process runs on this folder."""
    if is_held(folder, WEB):
        raise CannotStart(_second(folder))


def _second(folder: Path) -> Problem:
    return Problem(
        code="second_instance",
        what="The app already runs on this folder.",
        cure="Use the running one, or end it first. For a second app choose another WAN22_DATA.",
        evidence=str(folder),
    )


@contextlib.contextmanager
def single_backup(folder: Path) -> Iterator[None]:
    """Hold the backup's lock; raises CannotStart while another backup or a restore has it."""
    with _taken(folder, BACKUP, _busy(folder)):
        yield


@contextlib.contextmanager
def standstill(folder: Path) -> Iterator[None]:
    """Keep everybody else from starting; raises CannotStart while somebody runs."""
    running = _running(folder)
    with contextlib.ExitStack() as stack:
        for name in (WEB, DISPATCHER, DOWNLOADER):
            stack.enter_context(_taken(folder, name, running))
        stack.enter_context(single_backup(folder))
        # A command that waits for its video keeps no other lock.
        if anyone_attached(folder):
            raise CannotStart(running)
        yield


@contextlib.contextmanager
def _taken(
    folder: Path, name: str, problem: Problem, patience_s: float = LOOK_TAKES_S
) -> Iterator[None]:
    held = lock(folder, name)
    try:
        held.acquire(timeout=patience_s)
    except Timeout:
        raise CannotStart(problem) from None
    try:
        yield
    finally:
        held.release()


def _running(folder: Path) -> Problem:
    return Problem(
        code="app_running",
        what="The app runs on this folder: its page, its queue, a download or a command.",
        cure="End it first; the queue ends a few seconds after the page. Nothing was changed.",
        evidence=str(folder),
    )


def _busy(folder: Path) -> Problem:
    return Problem(
        code="backup_running",
        what="Another backup or restore is under way.",
        cure="Wait until it is done.",
        evidence=str(folder),
    )


class Attachment:
    """Tells the dispatcher that somebody wants it: held by each web process and command.

    A context manager. When the last holder is gone for longer than a reload takes, an attached
    dispatcher puts its job back and ends.
    """

    def __init__(self, folder: Path):
        self._path = folder / f"{ATTACHED}{os.getpid()}.lock"
        self._lock = lock(folder, self._path.name)

    def __enter__(self) -> "Attachment":
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._path.unlink(missing_ok=True)


def anyone_attached(folder: Path) -> bool:
    """Whether a living process is attached; forgets the dead."""
    found = False
    for path in folder.glob(f"{ATTACHED}*.lock"):
        if is_held(folder, path.name):
            found = True
        else:
            # Nobody takes this name again but a process with the same number, which makes it anew.
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def ask_to_drain(folder: Path) -> None:
    """From now on no job is started; who owns the queue ends once the running one is done."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DRAIN).touch()


def draining(folder: Path) -> bool:
    """Whether that was asked for and not taken back."""
    return (folder / DRAIN).exists()


def end_drain(folder: Path) -> None:
    """Take it back: a start of the app, or of the queue's own service."""
    (folder / DRAIN).unlink(missing_ok=True)


def _just_started(stamp: Path) -> bool:
    """Whether somebody started a dispatcher a moment ago; if not, that is now us."""
    with contextlib.suppress(OSError):
        # A stamp from the future is a clock that jumped: it says nothing.
        if 0 <= time.time() - stamp.stat().st_mtime < START_TAKES_S:
            return True
    stamp.touch()
    return False


def ensure_dispatcher(locks: Path, logs: Path) -> None:
    """Start a detached dispatcher if none holds the lock. Safe to call often and by many.

    Detached, because a hot reload of the web ends the web's children. None while the queue drains.
    """
    if draining(locks) or is_held(locks, DISPATCHER) or _just_started(locks / STARTED):
        return
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    with appended(logs / "dispatcher-start.log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wan22_app.dispatcher", "--attached"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
            close_fds=True,
        )
    # It outlives us, or we outlive it: somebody must take its exit code, or it stays a zombie.
    threading.Thread(target=process.wait, name="dispatcher-end", daemon=True).start()
