"""One job's life for each call that changes the disk: the process killed before it, EIO, ENOSPC.

``python -m tests.faults.lives FOLDER MODELS JOURNAL KILLS ERRORS``, started by
``tests.faults.disk.run``: a kill at one of so many calls, each error at one of so many. A life that
only counts comes first. Prints as JSON how many lives there were, and what was wrong.
"""

import errno
import json
import multiprocessing
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.disk import KILL, Watch
from tests.faults.home import Home, choose_journal, copy_models, end_with_parent, until

FAULTS = {"kill": KILL, "EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
KEY = "the job"
SUBMIT, QUEUE = "submit", "queue"
MOST_STARTS = 4
AT_ONCE = 3
"""Lives at a time: some wait while others compute."""


@dataclass(frozen=True)
class Life:
    """What one life met and what became of it."""

    fault: str
    met: str
    calls: int
    starts: int
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Lives:
    """Each begins with the folders as they are before the submission, or right after it."""

    folder: Path

    def home(self, place: Path) -> Home:
        """The installation in a place; the models are the same for all."""
        return Home(place / "home", self.folder / "models")

    def prepare(self, models: Path) -> None:
        """The folders that lives begin with."""
        copy_models(models, self.folder / "models", "t2v")
        home = self.home(self.folder / "first")
        home.settle_in()
        shutil.copytree(home.root, self.folder / SUBMIT)
        if not home.submit(KEY):
            raise RuntimeError(home.evidence())
        shutil.copytree(home.root, self.folder / QUEUE)

    def live(self, point: tuple[str, str, int]) -> Life:
        """One life in which the ``at``-th call from the scene's beginning on meets the fault."""
        scene, fault, at = point
        place = self.folder / f"process-{os.getpid()}"
        if not place.exists():
            shutil.copytree(self.folder / "first", place)
        home = self.home(place)
        shutil.rmtree(home.root)
        shutil.copytree(self.folder / scene, home.root)
        watch = Watch(home.root, place)
        watch.arm(at, FAULTS[fault])
        # Who hears that it did not work tries again, with the same key.
        wrong = [] if scene == QUEUE or home.submit(KEY) or home.submit(KEY) else ["refused twice"]
        calls = watch.calls
        starts, stuck = work_off(home)
        calls = watch.calls if scene == QUEUE else calls
        wrong += [*stuck, *verdict(home)]
        met = watch.met.replace(f"{home.root}/", "")
        return Life(fault, met, calls, starts, (*wrong, home.evidence()) if wrong else ())


def work_off(home: Home) -> tuple[int, list[str]]:
    """Keep a dispatcher running until all is over and tidy; how many had to be started.

    Also says what one that lived did not do by itself.
    """
    starts, stuck = 0, list[str]()
    while starts < MOST_STARTS and not (starts and home.all_over() and not home.strays()):
        starts += 1
        home.open_queue()
        if not until(lambda: not home.queue_is_open or home.all_over()):
            stuck.append("the job did not go on")
        # The next start sweeps what this one could not remove.
        until(lambda: not home.queue_is_open or not home.strays(), patience_s=1.0)
        home.close_queue()
    return starts, stuck


def verdict(home: Home) -> Iterator[str]:
    """What is wrong at the end: one fault of the disk costs no job."""
    yield from home.violations([KEY])
    if (states := home.rows("SELECT state FROM job")) != [("succeeded",)]:
        yield f"the jobs: {states}"
    yield from (f"{name} is left" for name in home.strays())


def points(counted: dict[str, int], kills: int, errors: int) -> Iterator[tuple[str, str, int]]:
    """Which calls of both scenes meet what: every so many-th, the errors not the same ones."""
    steps = {"kill": (1, kills), "EIO": (1, errors), "ENOSPC": (1 + errors // 2, errors)}
    for scene, calls in counted.items():
        for fault, (first, step) in steps.items():
            yield from ((scene, fault, at) for at in range(first, calls + 1, step))


def main(folder: Path, models: Path, journal: str, kills: int, errors: int) -> dict[str, object]:
    """All of them, and the figures."""
    choose_journal(journal)
    lives = Lives(folder)
    lives.prepare(models)
    counted = {scene: lives.live((scene, "kill", 0)).calls for scene in (SUBMIT, QUEUE)}
    with multiprocessing.get_context("fork").Pool(AT_ONCE, end_with_parent) as pool:
        lived = list(pool.imap_unordered(lives.live, points(counted, kills, errors)))
    hit = [life for life in lived if life.met]
    return {
        "journal": journal,
        "calls": counted,
        "lives": dict(Counter(life.fault for life in hit)),
        "not met": len(lived) - len(hit),
        "further starts": dict(Counter(life.fault for life in hit if life.starts > 1)),
        "restarted": sorted({life.met for life in hit if life.starts > 1 and life.fault != "kill"}),
        "wrong": [(life.fault, life.met, *life.wrong) for life in lived if life.wrong],
    }


if __name__ == "__main__":
    folder, models, journal, *steps = sys.argv[1:]
    report = main(Path(folder), Path(models), journal, *map(int, steps))
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
