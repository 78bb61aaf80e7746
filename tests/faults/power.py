"""Power cuts one after the other in the life of one installation, and what it does after each.

``python -m tests.faults.power FOLDER MODELS JOURNAL CUTS SEED``, started by
``tests.faults.disk.run``. Between two cuts jobs are submitted and the queue is worked off; then
comes the moment, anywhere in between, at which the power had gone. Prints a report as JSON.
"""

import json
import multiprocessing
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.cut import Disk
from tests.faults.disk import Record, Watch
from tests.faults.home import Home, choose_journal, copy_models, end_with_parent, until

CUTS_OF_ONE = 10
"""Cuts of one installation: all that it has made before is looked through after each."""
AT_ONCE = 3
"""Installations at a time: some wait while others compute."""
ILLUSTRATED = 3
"""One job in so many has a start image."""
UNLOGGED = "-shm"
"""SQLite maps the index of its write-ahead log into memory; whoever comes first makes it anew."""


@dataclass
class Installation:
    """One of many, with its chance and what it has confirmed."""

    home: Home
    watch: Watch
    chance: random.Random
    confirmed: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._disk = Disk(self.home.root)

    def live(self, name: str) -> Iterator[str]:
        """Work off what the last cut has left, and more; yields what is wrong afterwards."""
        self.watch.forget()
        self._disk = Disk(self.home.root)
        self._work(name)
        yield from self.home.violations(self.confirmed)
        yield from self._unlucky()
        yield from (f"{stray} is left" for stray in self.home.strays())

    def cut(self) -> Iterator[str]:
        """The power has gone at some moment of the last life; yields what makes that untrue."""
        records = list(self.watch.records())
        at = self._moment(records)
        self._disk.play(records[:at])
        found = self._disk.after(self.chance)
        self._disk.play(records[at:])
        if _logged(self._disk.now()) != _logged(self.home.files()):
            yield "not all calls were seen"
        later = {record.path for record in records[at:] if record.kind == "N"}
        self.confirmed = [key for key in self.confirmed if key not in later]
        self._disk.become(found)

    def _moment(self, records: list[Record]) -> int:
        """How many calls come before it: of three, one is right behind a confirmation."""
        told = [number for number, record in enumerate(records, 1) if record.kind == "N"]
        anywhere = self.chance.randint(0, len(records))
        return self.chance.choice((self.chance.choice(told), anywhere, anywhere))

    def _work(self, name: str) -> None:
        """Submit before the start and while something may run, then work all off."""
        for number in range(2):
            self._submit(f"{name}.{number}")
            self.home.open_queue()
        until(lambda: self.home.all_over() or not self.home.queue_is_open)
        self.home.close_queue(signal.SIGTERM)

    def _submit(self, key: str) -> None:
        shade = None if self.chance.randrange(ILLUSTRATED) else self.chance.randrange(256)
        if not self.home.submit(key, shade):
            raise RuntimeError(f"{key} was refused\n{self.home.evidence()}")
        self.watch.note(key)
        self.confirmed.append(key)

    def _unlucky(self) -> Iterator[str]:
        """No cut ends a job: only when its third run was cut short, too, it is set aside."""
        for key, state, attempts in self.home.rows("SELECT key, state, attempts FROM job"):
            if state != "succeeded" and (state, attempts) != ("quarantined", 3):
                yield f"{key}: {state} after {attempts} attempts"


def _logged(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.endswith(UNLOGGED)}


@dataclass(frozen=True)
class Cuts:
    """Installations that all begin with the same folders."""

    folder: Path

    def home(self, place: Path) -> Home:
        """The one in a place; the models are the same for all."""
        return Home(place / "home", self.folder / "models")

    def prepare(self, models: Path) -> None:
        """Make them."""
        copy_models(models, self.folder / "models", "t2v", "ti2v")
        self.home(self.folder / "first").settle_in()

    def one(self, part: tuple[int, int]) -> dict[str, Any]:
        """The life of the one with this seed, cut off so many times."""
        seed, cuts = part
        place = self.folder / f"installation-{seed}"
        shutil.copytree(self.folder / "first", place)
        home = self.home(place)
        watch = Watch(home.root, place, logged=True)
        one = Installation(home, watch, random.Random(seed))
        wrong = list(one.live("first"))
        for cut in range(1, cuts + 1):
            wrong = wrong or [*one.cut(), *one.live(f"after cut {cut}")]
            if wrong:
                return {"wrong": [f"seed {seed}, cut {cut}", *wrong, home.evidence()]}
        states = Counter(state for (state,) in home.rows("SELECT state FROM job"))
        shutil.rmtree(place)
        return {"states": states}


def main(folder: Path, models: Path, journal: str, cuts: int, seed: int) -> dict[str, object]:
    """So many cuts, and the figures."""
    choose_journal(journal)
    installations = Cuts(folder)
    installations.prepare(models)
    parts = [
        (seed + start, min(CUTS_OF_ONE, cuts - start)) for start in range(0, cuts, CUTS_OF_ONE)
    ]
    with multiprocessing.get_context("fork").Pool(AT_ONCE, end_with_parent) as pool:
        told = list(pool.imap_unordered(installations.one, parts))
    return {
        "journal": journal,
        "cuts": cuts,
        "seed": seed,
        "states": dict(sum((one["states"] for one in told if "states" in one), Counter())),
        "wrong": [one["wrong"] for one in told if "wrong" in one],
    }


if __name__ == "__main__":
    folder, models, journal, *numbers = sys.argv[1:]
    report = main(Path(folder), Path(models), journal, *map(int, numbers))
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
