"""How far a run is, and the brake that stops it within one transformer block."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import psutil
from torch import nn

from wan22_app.domain.events import Advanced, Alive, Event, Resumed, Stage
from wan22_app.domain.watch import BEAT_S, LOADED_BYTES

Expert = Literal["", "high", "low"]
Emit = Callable[[Event], None]


class Stopped(Exception):
    """The person cancelled; raised inside a stage and caught by the engine."""


class Brake:
    """Raises Stopped inside the next guarded module once the current run is cancelled.

    Installed once for each loaded pipeline; every run sets the flag that it obeys, and what is
    called as a sign of life.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.beat: Callable[[], None] = _nobody_listens

    def check(self) -> None:
        """Raise Stopped if the current run was cancelled."""
        if self.cancelled.is_set():
            raise Stopped

    def guard(self, modules: Iterable[nn.Module]) -> None:
        """Check before each forward of these modules."""
        for module in modules:
            module.register_forward_pre_hook(self._hook)

    def _hook(self, _module: nn.Module, _arguments: Any) -> None:
        self.check()
        self.beat()


def _nobody_listens() -> None:
    """Before the first run."""


class Progress:
    """Reports stages and their units, and keeps each stage's duration."""

    def __init__(self, job_id: str, emit: Emit, brake: Brake):
        self._job_id = job_id
        self._emit = emit
        self._brake = brake
        self._start = time.monotonic()
        self._stage: Stage | None = None
        self._stage_start = self._start
        self._total = 0
        self._done = 0
        self._said_at = self._start
        brake.beat = self.beat
        self.seconds: dict[str, float] = {}
        self.complete = False
        """All parts were in memory at their turn, all steps were made by this run."""

    def begin(self, stage: Stage, total: int, done: int = 0) -> None:
        """Close the stage before and open this one, of which some may be done already."""
        self.finish()
        self._brake.check()
        self._stage, self._total, self._done = stage, total, done
        self._stage_start = time.monotonic()
        self._say("")

    def advance(self, expert: Expert = "") -> None:
        """One unit more."""
        self._done = min(self._done + 1, self._total)
        self._say(expert)
        self._brake.check()

    def check(self) -> None:
        """Raise Stopped if the run was cancelled."""
        self._brake.check()

    def beat(self) -> None:
        """A sign of life between two units; at most one a second goes out."""
        if time.monotonic() - self._said_at >= BEAT_S:
            self._said_at = time.monotonic()
            self._emit(Alive(job_id=self._job_id))

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Beat while bytes come in: one component may be tens of gigabytes on a slow disk."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch_bytes, args=(over,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _watch_bytes(self, over: threading.Event) -> None:
        before = _bytes_seen()
        while not over.wait(BEAT_S):
            now = _bytes_seen()
            if abs(now - before) >= LOADED_BYTES:
                before = now
                self.beat()

    def resumed(self, step: int, total: int, changed: Sequence[str]) -> None:
        """Say that an earlier run's latents were found, and whether they can be used."""
        self._emit(Resumed(job_id=self._job_id, step=step, total=total, changed=tuple(changed)))

    def denoising_seconds(self) -> float:
        """Spent on denoising so far, earlier runs included."""
        name = str(Stage.DENOISING)
        now = time.monotonic() - self._stage_start if self._stage is Stage.DENOISING else 0.0
        return round(self.seconds.get(name, 0.0) + now, 4)

    def finish(self) -> None:
        """Close the current stage; adds to its duration if it ran before."""
        if self._stage is not None:
            name = str(self._stage)
            spent = time.monotonic() - self._stage_start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)
        self._stage = None

    def _say(self, expert: Expert) -> None:
        if self._stage is None:
            return
        self._said_at = time.monotonic()
        self._emit(
            Advanced(
                job_id=self._job_id,
                stage=self._stage,
                done=self._done,
                total=self._total,
                expert=expert,
                seconds=round(time.monotonic() - self._start, 3),
            )
        )


def _bytes_seen() -> int:
    """Grows while this process reads, fills memory, or writes a quantized copy."""
    process = psutil.Process()
    moved = 0
    if hasattr(process, "io_counters"):
        counters = process.io_counters()
        moved = counters.read_bytes + counters.write_bytes
    return moved + process.memory_info().rss
