"""``python -m benchmarks.kills``: SIGKILL at random moments, and what is left afterwards.

A real dispatcher and a real engine process over a real SQLite file, while jobs are submitted. The
victim is the engine, the dispatcher, or both at once; a new dispatcher is started at once. Then the
queue is worked off and everything is counted: jobs lost, doubled, unfinished, videos that do not
play, files without a row. Writes ``benchmarks/results/kills-<engine>.json``.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.report import publish
from tests.values import a_request
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.files import check_plays, sha256
from wan22_app.adapters.locks import DISPATCHER, is_held
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.errors import NotFound, UserError
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.output import Output, Place
from wan22_app.ports import NewJob
from wan22_app.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
DISPATCHERS = {"scripted": "tests.scripted_dispatcher", "torch": "wan22_app.dispatcher"}
WAITING = 4
"""Jobs kept waiting while kills go on."""
LONGEST_WAIT_S = {"scripted": 0.6, "torch": 3.0}
"""A kill comes at a uniformly random moment up to this long after the last one was seen off."""
PATIENCE_S = 600.0
VICTIMS = ("engine", "dispatcher", "both")


def main() -> int:
    """Kill, count, report; exit code 1 when anything was lost, doubled or broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=DISPATCHERS, default="scripted")
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = PROJECT / "models"
        report = run(Path(folder), models, args.engine, args.kills, args.seed)
    publish(f"kills-{args.engine}", report)
    return 0 if sound(report) else 1


def run(folder: Path, models: Path, engine: str, kills: int, seed: int) -> dict[str, object]:
    """The whole loop in a folder of its own, with the demo checkpoints of ``models``."""
    places = {name: folder / name for name in ("data", "outputs", "loras")}
    app = build_services(Settings.model_validate({**places, "models": models}))
    migrate(app.settings.database)
    with Dispatcher(app.settings, DISPATCHERS[engine]) as dispatcher:
        loop = Loop(app, dispatcher, random.Random(seed), engine)
        for _ in range(kills):
            loop.kill_once()
        loop.work_off()
    return {"engine": engine, "seed": seed, **loop.report()}


def sound(report: dict[str, object]) -> bool:
    """Nothing lost, doubled, unfinished, broken or left over."""
    return not any(report[name] for name in ("lost", "unfinished", "doubled", "broken", "strays"))


class Dispatcher:
    """A dispatcher process that is started again whenever it is gone. A context manager."""

    def __init__(self, settings: Settings, module: str):
        self._settings = settings
        names = ("data", "outputs", "loras", "models")
        places = {f"WAN22_{name.upper()}": str(getattr(settings, name)) for name in names}
        self._environment = {**os.environ, **places, "PYTHONPATH": str(PROJECT)}
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Dispatcher":
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(engine=True, dispatcher=True)

    def ensure(self) -> bool:
        """Start one if there is none and wait for its lock; True when that was necessary."""
        if self._process is not None and self._process.poll() is None:
            return False
        log = self._settings.logs / "start.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module], env=self._environment, cwd=PROJECT,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not is_held(self._settings.locks, DISPATCHER):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.005)
        return True

    def kill(self, *, engine: bool, dispatcher: bool) -> None:
        """SIGKILL, or its like; returns when the victims are gone."""
        if self._process is None:
            return
        victims: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            owner = psutil.Process(self._process.pid)
            victims += owner.children() if engine else []
            victims += [owner] if dispatcher else []
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        psutil.wait_procs(victims)
        if dispatcher:
            self._process.wait()


@dataclass
class Loop:
    """Submits, kills, and knows what was confirmed."""

    app: Services
    dispatcher: Dispatcher
    chance: random.Random
    engine: str
    confirmed: list[str] = field(default_factory=list[str])
    kills: Counter[str] = field(default_factory=Counter[str])
    recovery_s: list[float] = field(default_factory=list[float])

    def kill_once(self) -> None:
        """Keep jobs waiting, let some time pass, kill, start again."""
        self._submit()
        time.sleep(self.chance.uniform(0, LONGEST_WAIT_S[self.engine]))
        victim = self.chance.choice(VICTIMS)
        running = {job.id: job.epoch for job in self.app.jobs.running()}
        self.dispatcher.kill(engine=victim != "dispatcher", dispatcher=victim != "engine")
        self.kills[victim] += 1
        if self.dispatcher.ensure() and running:
            self._time_recovery(running)

    def work_off(self) -> None:
        """Wait until every confirmed job is final."""
        deadline = time.monotonic() + PATIENCE_S
        while self._open() and time.monotonic() < deadline:
            self.dispatcher.ensure()
            time.sleep(0.05)

    def report(self) -> dict[str, object]:
        """What is left, counted."""
        jobs = list(self._found())
        states = Counter(str(job.state) for job in jobs)
        outputs = {output.id: output for output in self._outputs()}
        folder = self.app.settings.outputs
        known = {name for output in outputs.values() for name in (output.video, output.poster)}
        files = {path.name for path in folder.iterdir() if path.is_file()}
        done = {job.id for job in jobs if job.state is JobState.SUCCEEDED}
        broken = [one for one in outputs.values() if not _plays(folder / one.video, one.sha256)]
        slow = sorted(self.recovery_s)
        return {
            "kills": dict(self.kills),
            "confirmed": len(self.confirmed),
            "states": dict(states),
            "lost": len(self.confirmed) - len(jobs),
            "unfinished": sum(not job.state.final for job in jobs),
            "doubled": len(set(outputs) - done) + len(files - known),
            "broken": len(broken) + len(done - set(outputs)),
            "strays": len(list(self.app.settings.staging.iterdir())),
            "recovery_seconds": {
                "measured": len(slow),
                "median": round(slow[len(slow) // 2], 3) if slow else None,
                "99 of 100 within": round(slow[int(len(slow) * 0.99)], 3) if slow else None,
            },
        }

    def _found(self) -> Iterator[Job]:
        for job_id in self.confirmed:
            with contextlib.suppress(NotFound):
                yield self.app.jobs.get(LOCAL_PERSON, job_id)

    def _submit(self) -> None:
        waiting = self._open()
        for _ in range(WAITING - waiting):
            new = NewJob(
                request=a_request(width=64, height=64, frames=5, steps=8),
                key=f"job {len(self.confirmed)}",
            )
            self.confirmed.append(self.app.jobs.add(LOCAL_PERSON, new, 100).id)

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
