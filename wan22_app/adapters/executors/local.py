"""Runs on this machine: one engine process for each slot, started when needed, kept warm."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wan22_app.adapters.executors.process import EngineProcess
from wan22_app.adapters.locks import is_held
from wan22_app.domain.events import Cancelled, Crashed, Done, Drafted, Event, Failed
from wan22_app.domain.work import Cancel, Exit, Work
from wan22_app.domain.work import Run as RunCommand
from wan22_app.ports import Run

CANCEL_PATIENCE_S = 1.5
LOCK_TAKEN = 3
LOCK_RETRY_S = 0.5
CLOSE_PATIENCE_S = 1.0

Command = Callable[[str, Path], Sequence[str]]
"""From a slot's name and lock file to the command line of its engine."""


class LocalExecutor:
    """Executor over child processes."""

    def __init__(self, slots: Sequence[str], command: Command, locks: Path, logs: Path):
        self._command = command
        self._locks = locks
        self._logs = logs
        self._changed = threading.Event()
        self._engines: dict[str, EngineProcess] = {}
        self._runs: dict[str, LocalRun] = {}
        self._slots = tuple(slots)

    @property
    def slots(self) -> Sequence[str]:
        return self._slots

    def is_free(self, slot: str) -> bool:
        """Whether no engine, of ours or left over, holds the slot's lock."""
        return not is_held(self._locks, _lock_name(slot))

    def start(self, work: Work, slot: str) -> Run:
        run = LocalRun(work, lambda: self._engine(slot), lambda: self._drop(slot))
        self._runs[slot] = run
        return run

    def wait(self, timeout: float) -> None:
        self._changed.wait(min(timeout, self._soonest()))
        self._changed.clear()

    def wake(self) -> None:
        self._changed.set()

    def free(self, slot: str) -> None:
        run = self._runs.get(slot)
        engine = self._engines.get(slot)
        if engine is None or (run is not None and not run.over):
            return
        self._drop(slot)

    def close(self) -> None:
        for slot in list(self._engines):
            self._drop(slot)

    def _engine(self, slot: str) -> EngineProcess:
        """The slot's warm engine, or a new one."""
        engine = self._engines.get(slot)
        if engine is None or engine.exit_code is not None:
            command = self._command(slot, self._locks / _lock_name(slot))
            engine = EngineProcess(command, self._logs / f"engine-{slot}.log", self.wake)
            self._engines[slot] = engine
        return engine

    def _drop(self, slot: str) -> None:
        """End the slot's engine; politely first, so that its log says why."""
        engine = self._engines.pop(slot, None)
        if engine is None:
            return
        engine.say(Exit())
        deadline = time.monotonic() + CLOSE_PATIENCE_S
        run = self._runs.get(slot)
        idle = run is None or run.over
        while idle and engine.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.02)
        engine.kill()

    def _soonest(self) -> float:
        """Seconds until a run must be looked at although nothing was heard of it."""
        return min((run.patience for run in self._runs.values() if not run.over), default=60.0)


def _lock_name(slot: str) -> str:
    return f"slot-{slot}.lock"


@dataclass
class LocalRun:
    """One job in flight in a child process."""

    work: Work
    engine: Callable[[], EngineProcess]
    drop: Callable[[], None]
    over: bool = field(default=False, init=False)
    _process: EngineProcess | None = field(default=None, init=False)
    _cancel_at: float | None = field(default=None, init=False)
    _retry_at: float = field(default=0.0, init=False)
    _heard: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._begin()

    @property
    def job_id(self) -> str:
        return self.work.job_id

    @property
    def epoch(self) -> int:
        return self.work.epoch

    @property
    def patience(self) -> float:
        """Seconds until this run wants to be polled without an event."""
        now = time.monotonic()
        if self._process is None:
            return max(0.0, self._retry_at - now)
        if self._cancel_at is not None:
            return max(0.0, self._cancel_at + CANCEL_PATIENCE_S - now)
        return 60.0

    def poll(self) -> Sequence[Event]:
        if self.over:
            return ()
        if self._process is None:
            self._begin_again()
            return ()
        events = list(self._drain(self._process))
        if not self.over and self._overdue():
            self.drop()
            events.append(self._end(Cancelled(job_id=self.job_id)))
        return events

    def cancel(self) -> None:
        if self._cancel_at is None:
            self._cancel_at = time.monotonic()
            if self._process is not None:
                self._process.say(Cancel(job_id=self.job_id))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _begin(self) -> None:
        self._process = self.engine()
        self._process.say(RunCommand(work=self.work))

    def _begin_again(self) -> None:
        """An engine of a dead dispatcher still held the slot: it ends by itself, so try again."""
        if time.monotonic() >= self._retry_at:
            self._begin()
            if self._cancel_at is not None and self._process is not None:
                self._process.say(Cancel(job_id=self.job_id))

    def _drain(self, process: EngineProcess) -> Sequence[Event]:
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while not self.over:
                event = process.events.get_nowait()
                if event is None:
                    events.extend(self._ended(process))
                    break
                if getattr(event, "job_id", None) != self.job_id:
                    continue
                self._heard = True
                over = isinstance(event, Done | Drafted | Failed | Cancelled)
                events.append(self._end(event) if over else event)
        return events

    def _ended(self, process: EngineProcess) -> Sequence[Event]:
        """The process is gone in the middle of this run."""
        # Ended by idleness in the very moment of the start, or before it got its slot: no death.
        if process.exit_code == LOCK_TAKEN or (process.exit_code == 0 and not self._heard):
            self._process, self._retry_at = None, time.monotonic() + LOCK_RETRY_S
            return ()
        if self._cancel_at is not None:
            return (self._end(Cancelled(job_id=self.job_id)),)
        crash = Crashed(job_id=self.job_id, exit_code=process.exit_code, log=process.log_tail())
        return (self._end(crash),)

    def _overdue(self) -> bool:
        asked = self._cancel_at
        return asked is not None and time.monotonic() - asked >= CANCEL_PATIENCE_S

    def _end(self, event: Event) -> Event:
        self.over = True
        return event
