"""How far a run is, and the brake that stops it within one transformer block."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import psutil
from torch import nn

from wan22_app.domain.events import Advanced, Event, Stage

Expert = Literal["", "high", "low"]
Emit = Callable[[Event], None]


class Stopped(Exception):
    """The person cancelled; raised inside a stage and caught by the engine."""


class Brake:
    """Raises Stopped inside the next guarded module once the current run is cancelled.

    Installed once for each loaded pipeline; every run sets the flag that it obeys.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()

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
        self.seconds: dict[str, float] = {}
        self.peak_ram_bytes = 0

    def begin(self, stage: Stage, total: int, expert: Expert = "") -> None:
        """Close the stage before and open this one."""
        self.finish()
        self._brake.check()
        self._stage, self._total, self._done = stage, total, 0
        self._stage_start = time.monotonic()
        self._say(expert)

    def advance(self, expert: Expert = "") -> None:
        """One unit more."""
        self._done = min(self._done + 1, self._total)
        self._say(expert)
        self._brake.check()

    def finish(self) -> None:
        """Close the current stage; adds to its duration if it ran before."""
        rss = psutil.Process().memory_info().rss
        self.peak_ram_bytes = max(self.peak_ram_bytes, rss)
        if self._stage is not None:
            name = str(self._stage)
            spent = time.monotonic() - self._stage_start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)
        self._stage = None

    def _say(self, expert: Expert) -> None:
        if self._stage is None:
            return
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
