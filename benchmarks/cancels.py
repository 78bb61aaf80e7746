"""``python -m benchmarks.cancels``: how long after a click a cancelled job is over.

A real dispatcher and a real engine. Each job is cancelled at a random moment of its life, a quarter
of them while a cold engine starts and loads. Writes ``benchmarks/results/cancels.json``.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.installation import PATIENCE_S, PROJECT, Installation, fresh
from benchmarks.report import publish
from tests.values import a_request
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import Job, JobState
from wan22_app.ports import NewJob

WITHIN_S = 2.0
TARGET = 0.99
COLD_EVERY = 4
LOOK_S = 0.005
FIELDS: dict[str, Any] = {"width": 160, "height": 160, "frames": 33, "steps": 20}


def main() -> int:
    """Measure and report; exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cancels", type=int, default=100)
    parser.add_argument("--models", type=Path, default=PROJECT / "models")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), args.models, args.cancels, args.seed)
    publish("cancels", report)
    return 0 if float(str(report["within"])) >= TARGET else 1


def run(base: Path, models: Path, cancels: int, seed: int) -> dict[str, object]:
    """All of them in a folder of its own."""
    app = fresh(base, models)
    trial = Trial(app, random.Random(seed))
    with Installation(app.settings, "wan22_app.dispatcher"):
        trial.prepare()
        for number in range(cancels):
            trial.cancel_one(cold=number % COLD_EVERY == 0)
    return {"cancels": cancels, "seed": seed, **trial.report()}


@dataclass
class Trial:
    """Submits, cancels, and keeps the times by the stage in which the click came."""

    app: Services
    chance: random.Random
    warm_s: float = 0.0
    cold_s: float = 0.0
    seconds: list[float] = field(default_factory=list[float])
    stages: Counter[str] = field(default_factory=Counter[str])
    missed: list[str] = field(default_factory=list[str])
    _submitted: int = 0

    def prepare(self) -> None:
        """See how long a job takes on a cold engine and on a warm one."""
        self.cold_s, self.warm_s = self._whole(), self._whole()

    def cancel_one(self, *, cold: bool) -> None:
        """Let a job run for a while, cancel it, and time its end."""
        if cold:
            self.app.queue.free_card(LOCAL_PERSON)
        job = self._submit()
        self._until(lambda: self._now(job).state is not JobState.QUEUED)
        time.sleep(self.chance.uniform(0, self.cold_s - self.warm_s if cold else self.warm_s))
        before = self._now(job)
        if before.state.final:
            return
        clicked = time.monotonic()
        self.app.queue.cancel(LOCAL_PERSON, job.id)
        self._until(lambda: self._now(job).state.final)
        taken = time.monotonic() - clicked
        stage = str(before.progress.stage) if before.progress else "starting"
        self.seconds.append(taken)
        self.stages[stage] += 1
        if taken > WITHIN_S:
            self.missed.append(f"{stage}: {taken:.2f} s")

    def report(self) -> dict[str, object]:
        """How many were fast enough, and where the clicks came."""
        ordered = sorted(self.seconds)
        return {
            "measured": len(ordered),
            "stages": dict(self.stages),
            "within": round(sum(taken <= WITHIN_S for taken in ordered) / len(ordered), 4),
            "median_seconds": round(ordered[len(ordered) // 2], 3),
            "longest_seconds": round(ordered[-1], 3),
            "missed": self.missed,
        }

    def _whole(self) -> float:
        begun, job = time.monotonic(), self._submit()
        self._until(lambda: self._now(job).state.final)
        return time.monotonic() - begun

    def _submit(self) -> Job:
        self._submitted += 1
        new = NewJob(request=a_request(**FIELDS), key=f"job {self._submitted}")
        return self.app.jobs.add(LOCAL_PERSON, new, 100)

    def _now(self, job: Job) -> Job:
        return self.app.jobs.get(LOCAL_PERSON, job.id)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError("waited in vain")
            time.sleep(LOOK_S)


if __name__ == "__main__":
    sys.exit(main())
