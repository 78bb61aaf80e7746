"""``python -m benchmarks.soak``: thousands of jobs, one after another, and what they leave behind.

The real web with three tabs on its websocket, and the real dispatcher with an engine without
torch. Jobs are submitted on the form and worked off. Meanwhile memory, open files, threads and
children of both processes are read; what was there after the first two fifths of the jobs is the
measure for the end. Writes ``benchmarks/results/soak.json``.
"""

import argparse
import asyncio
import contextlib
import secrets
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.growth import Look, figures, growth, look
from benchmarks.installation import Installation, fresh
from benchmarks.report import publish
from benchmarks.visitor import PAGES, arrive
from tests.server import Server, worker
from tests.tab import Tab, close, handler
from wan22_app.bootstrap import Services
from wan22_app.demo import provide
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import JobState
from wan22_app.domain.output import Output, Place

AHEAD = 6
"""Jobs submitted and not ended at a time: the dispatcher always finds a next one."""
CACHED_PAGES = 10
"""SQLite keeps up to 2 MB of the database for each connection. That fills slowly while the database
grows and would look like a leak, so the file itself asks for less."""
CROWD = 12
"""Tabs that come and go at the start: threads and connections are made when many ask at once."""
LOOKS = 250
"""How often the processes are looked at."""
PATIENCE_S = 60.0
SETTLED_S = 5.0
Report = dict[str, object]


def main() -> int:
    """Soak and report; exit code 1 when anything grew, was lost or was left over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        provide(models)
        report = run(Path(folder), models, args.jobs)
    publish("soak", report)
    return 0 if not report["faults"] else 1


def run(base: Path, models: Path, jobs: int) -> Report:
    """The whole soak in a folder of its own; the report's ``faults`` are what must not be."""
    app = fresh(base, models)
    with contextlib.closing(sqlite3.connect(app.settings.data / "wan22.sqlite")) as database:
        database.execute(f"PRAGMA default_cache_size={CACHED_PAGES}")
    with Installation(app.settings, "tests.scripted_dispatcher", web=True) as installation:
        server = installation.web
        assert server is not None
        processes = {
            "web": psutil.Process(worker(server)),
            "dispatcher": installation.process("dispatcher"),
        }
        soak = Soak(app, server, processes, jobs)
        asyncio.run(soak.run())
    return soak.report()


@dataclass
class Soak:
    """Submits, follows the rows, looks at the processes."""

    app: Services
    server: Server
    processes: Mapping[str, psutil.Process]
    jobs: int
    looks: dict[str, list[Look]] = field(default_factory=dict[str, list[Look]], init=False)
    _states: dict[str, JobState] = field(default_factory=dict[str, JobState], init=False)
    _over: set[str] = field(default_factory=set[str], init=False)
    _before: set[str] = field(default_factory=set[str], init=False)
    _revision: int = field(default=0, init=False)
    _heard_at: float = field(default_factory=time.monotonic, init=False)
    _files: set[Path] = field(default_factory=set[Path], init=False)
    _seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.warm_up = self.jobs * 2 // 5

    async def run(self) -> None:
        """All jobs, from the form to the last verdict."""
        self._before = {output.id for output in self._outputs()}
        await close(*await asyncio.gather(*(arrive(Tab(self.server), "/") for _ in range(CROWD))))
        tabs = [await arrive(Tab(self.server), path) for path in PAGES]
        begin = time.monotonic()
        for sent in range(self.jobs):
            while sent - len(self._over) >= AHEAD:
                await self._round()
            await tabs[0].send(handler("form_state.submit"), {"key": secrets.token_hex(16)})
        while len(self._over) < self.jobs:
            await self._round()
        self._seconds = time.monotonic() - begin
        await self._settle()
        await close(*tabs)

    def report(self) -> Report:
        """What is there at the end, counted."""
        warm = {
            name: [one for one in looks if one.jobs >= self.warm_up]
            for name, looks in self.looks.items()
        }
        grown = [f"{name}: {fault}" for name, looks in warm.items() for fault in growth(looks)]
        return {
            "jobs": self.jobs,
            "warm_up_jobs": self.warm_up,
            "seconds": round(self._seconds, 1),
            "states": dict(Counter(str(state) for state in self._states.values())),
            **{name: figures(looks) for name, looks in warm.items()},
            "faults": [*self._wrong(), *grown],
        }

    async def _round(self) -> None:
        self._follow()
        ended = len(self._over)
        if ended * LOOKS >= len(self.looks.get("web", ())) * self.jobs:
            for name, process in self.processes.items():
                self.looks.setdefault(name, []).append(look(process, ended))
        if ended >= self.warm_up and not self._files:
            self._files = set(self._data())
        if time.monotonic() - self._heard_at > PATIENCE_S:
            raise RuntimeError(f"no job has ended for long:\n{self._log()}")
        await asyncio.sleep(0.02)

    def _follow(self) -> None:
        """Take over what has changed in the rows."""
        while changed := self.app.jobs.changed(self._revision):
            self._states |= {job.id: job.state for job in changed}
            self._over |= {job.id for job in changed if job.state.final}
            self._revision = max(job.revision for job in changed)
            self._heard_at = time.monotonic()

    def _data(self) -> Iterator[Path]:
        """All in the data folder but the logs, which have limits of their own."""
        settings = self.app.settings
        return (path for path in settings.data.rglob("*") if settings.logs not in path.parents)

    def _left_over(self) -> Sequence[str]:
        settings = self.app.settings
        parts = [*settings.staging.iterdir(), *settings.latents.iterdir()]
        return sorted({path.name for path in {*parts, *(set(self._data()) - self._files)}})

    async def _settle(self) -> None:
        """Who samples the machine's figures may be at the database's journal just now."""
        deadline = time.monotonic() + SETTLED_S
        while self._left_over() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    def _wrong(self) -> Iterator[str]:
        """What is not as it must be in rows and folders."""
        if len(self._states) != self.jobs:
            yield f"{len(self._states)} jobs instead of {self.jobs}"
        if any(state is not JobState.SUCCEEDED for state in self._states.values()):
            yield "not every job succeeded"
        outputs = [output for output in self._outputs() if output.id not in self._before]
        if sorted(output.id for output in outputs) != sorted(self._states):
            yield "the outputs are not one for each job"
        known = {name for output in outputs for name in (output.video, output.poster)}
        if {path.name for path in self.app.settings.outputs.iterdir() if path.is_file()} != known:
            yield "the files of the outputs are not those of the rows"
        if left := self._left_over():
            yield f"left over: {', '.join(left[:10])}"

    def _outputs(self) -> Iterator[Output]:
        before: Place | None = None
        while page := self.app.outputs.page(LOCAL_PERSON, before=before, limit=100):
            yield from page
            before = page[-1].place

    def _log(self) -> str:
        logs = (self.server.log, self.app.settings.logs / "dispatcher.log")
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)


if __name__ == "__main__":
    sys.exit(main())
