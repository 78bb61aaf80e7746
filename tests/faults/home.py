"""An installation whose processes are forks of this one, which has imported everything already."""

import ctypes
import io
import os
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from PIL import Image

from tests.scripted_engine import made
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.files import check_plays, sha256
from wan22_app.adapters.locks import is_held
from wan22_app.adapters.system import SystemClock
from wan22_app.bootstrap import build_dispatcher, build_services, make_folders
from wan22_app.dispatcher import own
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V
from wan22_app.domain.errors import UserError
from wan22_app.domain.job import JobState
from wan22_app.domain.work import Work
from wan22_app.services.dispatch import Dispatcher
from wan22_app.settings import Settings

ENGINE = Path(__file__).with_name("quick_engine.py")
SAMPLE = "sample"
FIELDS = {"model": DEMO_T2V.key, "prompt": "a red ball", "width": 64, "height": 64, "frames": 5}
HASTE = 5.0
PATIENCE_S = 120.0
PARENT_DEATH_SIGNAL = 1
LOOK_EVERY_S = 0.02


class HastyClock(SystemClock):
    """The pause after a fault of the disk passes in a fifth of its time."""

    def monotonic(self) -> float:
        return HASTE * super().monotonic()


class Home:
    """The folders of one installation; what is told of its processes lies beside them."""

    def __init__(self, root: Path, models: Path):
        self.root = root
        self._beside = root.parent
        places = {name: root / name for name in ("data", "outputs", "loras")}
        self.settings = Settings.model_validate(
            {**places, "models": models, "refresh_seconds": 60, "max_waiting": 1000}
        )
        self._owner = 0

    def settle_in(self) -> None:
        """Make the folders, the tables and the samples that the engine copies."""
        make_folders(self.settings)
        migrate(self.settings.database)
        made(Work.model_construct(job_id=SAMPLE, epoch=1, staging=str(self._beside)))

    # Its processes

    def submit(self, key: str, shade: int | None = None) -> bool:
        """Submit in a process of its own; whether that confirmed the job.

        With a ``shade`` from 0 to 255 the job has a start image of that shade.
        """

        def work() -> int:
            services = build_services(self.settings)
            fields = dict[str, object](FIELDS)
            if shade is not None:
                image = services.images.accept(_png(shade))
                fields |= {"model": DEMO_TI2V.key, "image": image}
            services.submission.submit(LOCAL_PERSON, fields, key)
            return 0

        return os.waitpid(self._fork(work), 0)[1] == 0

    def open_queue(self) -> None:
        """Start a dispatcher, if none runs, once the engine of the last one has ended."""
        if not self._owner:
            until(self._engines_ended)
            self._owner = self._fork(lambda: own(self.settings, self._build, attached=False))

    @property
    def queue_is_open(self) -> bool:
        """Whether our dispatcher lives."""
        if self._owner and os.waitpid(self._owner, os.WNOHANG)[0]:
            self._owner = 0
        return bool(self._owner)

    def close_queue(self, number: int = signal.SIGKILL) -> None:
        """End the dispatcher and wait until its engine has gone with it."""
        if self._owner:
            os.kill(self._owner, number)
            os.waitpid(self._owner, 0)
            self._owner = 0
        until(self._engines_ended)

    def _engines_ended(self) -> bool:
        return not any(is_held(self.settings.locks, name) for name in self._slots())

    def _slots(self) -> Sequence[str]:
        return [path.name for path in self.settings.locks.glob("slot-*.lock")]

    def _build(self, settings: Settings) -> Dispatcher:
        around = build_dispatcher(settings, self._engine).around
        return Dispatcher(replace(around, clock=HastyClock()))

    def _engine(self, slot: str, lock: Path) -> Sequence[str]:
        del slot
        return (sys.executable, "-I", "-S", str(ENGINE), str(lock), str(self._beside))

    def _fork(self, work: Callable[[], int]) -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            end_with_parent()
            told = os.open(self._told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for standard in (1, 2):
                os.dup2(told, standard)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    @property
    def _told(self) -> Path:
        return self._beside / "told.txt"

    def evidence(self) -> str:
        """What its processes said last."""
        log = self.settings.logs / "dispatcher.log"
        texts = [path.read_text(errors="replace") for path in (self._told, log) if path.exists()]
        return "\n".join(text[-4000:] for text in texts)

    # What is there

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """Read the database as any other process would."""
        file = self.settings.data / "wan22.sqlite"
        with closing(sqlite3.connect(file, timeout=PATIENCE_S)) as connection:
            return connection.execute(query).fetchall()

    def all_over(self) -> bool:
        """Whether every job is final."""
        return all(JobState(state).final for (state,) in self.rows("SELECT state FROM job"))

    def files(self) -> dict[str, bytes]:
        """All files by their paths."""
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in paths}

    def strays(self) -> list[str]:
        """Files of no row, or of no use any more; uploads are tidied an hour later."""
        shown = {name for row in self.rows("SELECT video, poster FROM output") for name in row}
        outputs = self.settings.outputs
        strays = [path for path in outputs.rglob("*") if path.is_file() and path.name not in shown]
        parts = self.settings.data.rglob("*.part")
        strays += [path for path in parts if path.parent != self.settings.uploads]
        return sorted(path.name for path in strays)

    def violations(self, confirmed: Sequence[str]) -> Iterator[str]:
        """What was promised and is not so, once all is over."""
        jobs = {key: (name, state) for name, key, state in
                self.rows("SELECT id, key, state FROM job")}  # fmt: skip
        yield from (f"{key}: lost" for key in confirmed if key not in jobs)
        yield from (f"{key}: {state}" for key, (_, state) in jobs.items()
                    if not JobState(state).final)  # fmt: skip
        done = sorted(name for name, state in jobs.values() if state == JobState.SUCCEEDED)
        outputs = self.rows("SELECT id, video, sha256 FROM output ORDER BY id")
        if done != [name for name, _, _ in outputs]:
            yield f"succeeded are {done}, videos are there of {outputs}"
        yield from (f"{video}: not whole" for _, video, digest in outputs
                    if not self._whole(video, digest))  # fmt: skip
        found = self.rows("PRAGMA integrity_check") + self.rows("PRAGMA foreign_key_check")
        if found != [("ok",)]:
            yield f"the database: {found}"

    def _whole(self, video: str, digest: str) -> bool:
        path = self.settings.outputs / video
        try:
            check_plays(path)
        except UserError:
            return False
        return sha256(path) == digest


def end_with_parent() -> None:
    """Or a test that is broken off would leave its processes behind."""
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def copy_models(models: Path, target: Path, *layouts: str) -> None:
    """Some of the demo checkpoints, since to look through all takes time."""
    for layout in layouts:
        shutil.copytree(models / "demo" / layout, target / "demo" / layout)


def _png(shade: int) -> bytes:
    png = io.BytesIO()
    Image.new("L", (64, 64), shade).save(png, "PNG")
    return png.getvalue()


def choose_journal(journal: str) -> None:
    """Let the app choose SQLite's journal as with a version where that one is right."""
    sqlite3.sqlite_version_info = {"wal": (3, 51, 3), "delete": (3, 40, 1)}[journal]


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> bool:
    """Wait for it; False when patience has ended."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
