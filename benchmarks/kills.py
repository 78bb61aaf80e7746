"""``python -m benchmarks.kills``: SIGKILL at random moments, and what is left afterwards.

A real dispatcher and a real engine process over a real SQLite file, while jobs are submitted; with
the torch engine also the real web, on whose page a visitor submits, and submits again with the same
key when the web dies before it has answered. The victims are the engine, the dispatcher, the web,
or several at once; what is gone is started again at once. Then the queue is worked off and
everything is counted: jobs lost, doubled, unfinished, videos that do not play, files without a row.
``--at-once`` installations, each with a share of the kills and a seed of its own, go side by side.
Writes ``benchmarks/results/kills-<engine>.json``.
"""

import argparse
import contextlib
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.installation import FORKED, PATIENCE_S, PROJECT, Installation, fresh
from benchmarks.report import publish
from benchmarks.visitor import Visitor
from tests.values import a_request
from wan22_app.adapters.files import check_plays, sha256
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.errors import UserError
from wan22_app.domain.job import JobState
from wan22_app.domain.output import Output, Place
from wan22_app.ports import NewJob

DISPATCHERS = {"scripted": "tests.scripted_dispatcher", "torch": "wan22_app.dispatcher"}
SPAWN = get_context("spawn")
WAITING = 4
"""Jobs kept waiting while kills go on."""
LIVES = 0.8
"""A kill comes at a uniformly random moment, up to this share of a job's undisturbed life after the
last one: with a fixed time most of them met an engine that was still starting on a busy machine.
"""
BACKEND = (("engine",), ("dispatcher",), ("engine", "dispatcher"))
VICTIMS = {"scripted": BACKEND, "torch": (*BACKEND, ("web",), ("engine", "dispatcher", "web"))}
"""A web starts a dispatcher when it finds none, and knows none without torch."""


def main() -> int:
    """Kill, count, report; exit code 1 when anything was lost, doubled or broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=DISPATCHERS, default="scripted")
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first installation")
    parser.add_argument("--at-once", type=int, default=1)
    args = parser.parse_args()
    shares = [args.kills // args.at_once] * args.at_once
    shares[0] += args.kills % args.at_once
    with tempfile.TemporaryDirectory() as base, ProcessPoolExecutor(args.at_once, SPAWN) as pool:
        running = [
            pool.submit(_alone, Path(base), args.engine, share, args.seed + number)
            for number, share in enumerate(shares)
        ]
        reports = [each.result() for each in running]
    report = merged(reports)
    publish(
        f"kills-{args.engine}",
        {"engine": args.engine, "seed": args.seed, "at once": args.at_once, **report},
    )
    return 0 if sound(report) else 1


def _alone(base: Path, engine: str, kills: int, seed: int) -> dict[str, Any]:
    folder = base / f"{seed}"
    folder.mkdir()
    return run(folder, PROJECT / "models", engine, kills, seed)


def run(folder: Path, models: Path, engine: str, kills: int, seed: int) -> dict[str, Any]:
    """The whole loop in a folder of its own, with the demo checkpoints of ``models``."""
    app = fresh(folder, models)
    web = engine == "torch"
    with Installation(app.settings, DISPATCHERS[engine], web=web, context=FORKED) as installation:
        loop = Loop(app, installation, random.Random(seed), engine)
        loop.undisturbed()
        with loop.submitting():
            for _ in range(kills):
                loop.kill_once()
        loop.work_off()
    return loop.report()


def sound(report: Mapping[str, Any]) -> bool:
    """Nothing lost, doubled, unfinished, broken or left over."""
    return not any(report[name] for name in ("lost", "unfinished", "doubled", "broken", "strays"))


def merged(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One report over several installations: counts added up, times put together."""
    total: dict[str, Any] = {}
    for name, first in reports[0].items():
        values = [report[name] for report in reports]
        if isinstance(first, Mapping):
            total[name] = dict(sum(map(Counter, values), Counter[str]()))
        elif isinstance(first, list):
            total[name] = _spread(sorted(chain.from_iterable(values)))
        else:
            total[name] = sum(values)
    return total


def _spread(seconds: Sequence[float]) -> dict[str, float | None]:
    return {
        "measured": len(seconds),
        "median": round(seconds[len(seconds) // 2], 3) if seconds else None,
        "99 of 100 within": round(seconds[int(len(seconds) * 0.99)], 3) if seconds else None,
    }


class Row(NamedTuple):
    """A job as its row says."""

    id: str
    state: JobState


@dataclass
class Loop:
    """Submits, kills, and knows what was confirmed."""

    app: Services
    installation: Installation
    chance: random.Random
    engine: str
    confirmed: set[str] = field(default_factory=set[str])
    """Keys of submissions."""
    visitor: Visitor | None = None
    kills: Counter[str] = field(default_factory=Counter[str])
    recovery_s: list[float] = field(default_factory=list[float])
    life_s: float = 0.0
    """How long a job took that nobody disturbed, from a killed dispatcher's successor on."""

    def undisturbed(self) -> None:
        """Let a job live, engine start included, and take its time."""
        self.installation.kill(BACKEND[-1])
        start = time.monotonic()
        self._submit(1)
        self.work_off()
        self.life_s = time.monotonic() - start

    def kill_once(self) -> None:
        """Keep jobs waiting, let some time pass, kill, start again."""
        if self.visitor is None:
            self._submit(WAITING)
        time.sleep(self.chance.uniform(0, LIVES * self.life_s))
        victims = self.chance.choice(VICTIMS[self.engine])
        running = {job.id: job.epoch for job in self.app.jobs.running()}
        self.installation.kill(victims)
        self.kills["+".join(victims)] += 1
        if self.installation.ensure_dispatcher() and running:
            self._time_recovery(running)
        self.installation.ensure_web()

    @contextlib.contextmanager
    def submitting(self) -> Iterator[None]:
        """Where there is a web, a visitor submits on its page meanwhile."""
        if self.installation.web is None:
            yield
            return
        self.visitor = Visitor(self.installation, lambda: self._open() < WAITING)
        with self.visitor:
            yield
        self.confirmed |= self.visitor.confirmed

    def work_off(self) -> None:
        """Wait until every confirmed job is final."""
        deadline = time.monotonic() + PATIENCE_S
        while self._open() and time.monotonic() < deadline:
            self.installation.ensure_dispatcher()
            time.sleep(0.05)

    def report(self) -> dict[str, Any]:
        """What is left, counted."""
        jobs = self._rows()
        states = Counter(str(row.state) for row in jobs.values())
        outputs = {output.id: output for output in self._outputs()}
        folder = self.app.settings.outputs
        known = {name for output in outputs.values() for name in (output.video, output.poster)}
        files = {path.name for path in folder.iterdir() if path.is_file()}
        done = {row.id for row in jobs.values() if row.state is JobState.SUCCEEDED}
        broken = [one for one in outputs.values() if not _plays(folder / one.video, one.sha256)]
        return {
            "kills": dict(self.kills),
            "confirmed": len(self.confirmed),
            "states": dict(states),
            "submitted again": self.visitor.repeated if self.visitor else 0,
            "lost": len(self.confirmed - set(jobs)),
            "unfinished": sum(not row.state.final for row in jobs.values()),
            "doubled": len(set(outputs) - done) + len(files - known),
            "broken": len(broken) + len(done - set(outputs)),
            "strays": len(list(self.app.settings.staging.iterdir())),
            "recovery_seconds": self.recovery_s,
        }

    def _rows(self) -> dict[str, Row]:
        """All jobs there are, by the key of their submission."""
        with contextlib.closing(sqlite3.connect(self.app.settings.data / "wan22.sqlite")) as base:
            found = base.execute("SELECT key, id, state FROM job").fetchall()
        return {key: Row(job_id, JobState(state)) for key, job_id, state in found}

    def _submit(self, wanted: int) -> None:
        for _ in range(wanted - self._open()):
            key = f"job {len(self.confirmed)}"
            request = a_request(width=64, height=64, frames=5, steps=8)
            self.app.jobs.add(LOCAL_PERSON, NewJob(request=request, key=key), 100)
            self.confirmed.add(key)

    def _open(self) -> int:
        return len(self.app.jobs.queue(LOCAL_PERSON, limit=100))

    def _time_recovery(self, running: dict[str, int]) -> None:
        """From the new dispatcher's lock until what ran is requeued, started again or final."""
        start = time.monotonic()
        deadline = start + PATIENCE_S
        while any(running.get(job.id) == job.epoch for job in self.app.jobs.running()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.005)
        self.recovery_s.append(time.monotonic() - start)

    def _outputs(self) -> Iterator[Output]:
        before: Place | None = None
        while page := self.app.outputs.page(LOCAL_PERSON, before=before, limit=100):
            yield from page
            before = page[-1].place


def _plays(video: Path, digest: str) -> bool:
    try:
        check_plays(video)
    except UserError:
        return False
    return sha256(video) == digest


if __name__ == "__main__":
    sys.exit(main())
