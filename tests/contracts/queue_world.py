"""What the queue's state machine plays with: engines, a folder and a disk that fail on demand.

The database is the real schema in memory: what a killed process or a cut of power does to the file
is shown elsewhere, here transactions and their order count, and thousands of examples do.
"""

import errno
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from tests.conftest import SetClock
from tests.fakes import (
    FakeFiles,
    FakeImages,
    FakeLatents,
    FakeLibrary,
    FakeProbe,
    FakeVideos,
    ScriptedExecutor,
    ScriptedRun,
    SilentBell,
)
from tests.services.conftest import World
from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.system import SystemSecrets
from wan22_app.domain.account import LOCAL_PERSON, Person
from wan22_app.domain.events import Crashed
from wan22_app.domain.work import Work
from wan22_app.ports import Published

PEOPLE = (LOCAL_PERSON, Person(id="eve", name="Eve"))
AUDIT = """
INSERT INTO person (id, name) VALUES ('eve', 'Eve');
CREATE TABLE audit (id TEXT, before TEXT, after TEXT, epochs INT, attempts INT);
CREATE TRIGGER audit_change AFTER UPDATE ON job BEGIN
  INSERT INTO audit VALUES (old.id, old.state, new.state, new.epoch - old.epoch,
                            new.attempts - old.attempts);
END;
CREATE TRIGGER audit_loss AFTER DELETE ON job BEGIN
  INSERT INTO audit VALUES (old.id, old.state, 'deleted', 0, 0);
END;
"""
"""The database itself notes each change of a job, whichever code makes it."""


class Change(NamedTuple):
    """One change of a row: its states, and by how much epoch and attempts have moved."""

    id: str
    before: str
    after: str
    epochs: int
    attempts: int


class Row(NamedTuple):
    """What the guarantee is about, straight from the table: removed jobs, too."""

    id: str
    owner: str
    state: str
    epoch: int
    attempts: int
    cancel_requested: int
    removed: int
    until: int


class EngineRun(ScriptedRun):
    """A run whose engine says what it likes, but one verdict at most."""

    over = False

    def cancel(self) -> None:
        self.cancelled = True

    def kill(self) -> None:
        if not self.over:
            self.script.append(Crashed(job_id=self.job_id, exit_code=-9, log="killed"))
        self.killed = self.over = True


class Engines(ScriptedExecutor):
    """Two slots. ``refuses`` makes the operating system give no process."""

    slots = ("one", "two")

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.started = 0
        self.alive: dict[str, EngineRun] = {}

    def start(self, work: Work, slot: str) -> EngineRun:
        assert self.free_slot, "an engine of before still holds its slot"
        before = self.alive.get(slot)
        assert before is None or before.over, "two runs on one slot"
        if self.refuses:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.alive[slot] = run = EngineRun(work)
        self.started += 1
        return run

    def flying(self) -> Sequence[EngineRun]:
        return [run for run in self.alive.values() if not run.over]


class Folder(FakeFiles):
    """Part files and videos by name; ``faults`` are raised by the next publications."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: set[str] = set()
        self.videos: set[str] = set()
        self.faults: list[Exception] = []

    def publish(self, job_id: str, video: str, poster: str) -> Published:
        if self.faults:
            raise self.faults.pop()
        name = f"{job_id}.mp4"
        if job_id not in self.parts and name not in self.videos:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.parts.discard(job_id)
        self.videos.add(name)
        return Published(video=name, poster=f"{job_id}.webp", bytes=1, sha256="a" * 64)

    def discard(self, job_id: str) -> None:
        self.parts.discard(job_id)

    def sweep(self, known: Collection[str], live: Collection[str]) -> Sequence[str]:
        strays = [*(self.videos - set(known)), *(self.parts - set(live))]
        self.videos &= set(known)
        self.parts &= set(live)
        return strays


class Disk:
    """The database's disk: once told, it refuses every commit after the next few."""

    def __init__(self) -> None:
        self.commits_left: int | None = None

    @property
    def refuses(self) -> bool:
        return self.commits_left is not None

    def commit(self, _connection: Connection) -> None:
        if self.commits_left is None:
            return
        if self.commits_left <= 0:
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError("COMMIT", None, full)
        self.commits_left -= 1


class Bench:
    """One in-memory database, put back to its beginning for each example."""

    def __init__(self, folder: Path):
        file = folder / "template.sqlite"
        migrate(f"sqlite:///{file.as_posix()}")
        self._template = sqlite3.connect(file)
        self._template.executescript(AUDIT)
        self._template.commit()
        self._engine = create_engine("sqlite://")
        self.disk = Disk()
        event.listen(self._engine, "commit", self.disk.commit)

    def close(self) -> None:
        self._template.close()
        self._engine.dispose()

    def world(self) -> World:
        """Everything anew."""
        self.disk.commits_left = None
        with self._raw() as raw:
            self._template.backup(raw)
        clock = SetClock()
        return World(
            engine=self._engine,
            jobs=SqlJobStore(self._engine, clock, SystemSecrets()),
            outputs=SqlOutputStore(self._engine),
            downloads=SqlDownloadStore(self._engine, clock, SystemSecrets()),
            clock=clock,
            executor=Engines(),
            library=FakeLibrary(),
            files=Folder(),
            images=FakeImages(),
            videos=FakeVideos(),
            latents=FakeLatents(),
            experience=SqlExperienceStore(self._engine, clock),
            probe=FakeProbe(),
            bell=SilentBell(),
        )

    def rows(self) -> dict[str, Row]:
        with self._raw() as raw:
            found = raw.execute(
                "SELECT id, owner, state, epoch, attempts, cancel_requested,"
                " removed_at IS NOT NULL, until FROM job ORDER BY number"
            )
            return {row[0]: Row(*row) for row in found}

    def changes(self) -> Sequence[Change]:
        """What has happened to jobs since the last look."""
        with self._raw() as raw:
            found = [Change(*row) for row in raw.execute("SELECT * FROM audit ORDER BY rowid")]
            raw.execute("DELETE FROM audit")
            return found

    def listed(self) -> dict[str, str]:
        """The file of each published video by its job."""
        with self._raw() as raw:
            return dict(raw.execute("SELECT id, video FROM output").fetchall())

    @contextmanager
    def _raw(self) -> Iterator[sqlite3.Connection]:
        connection = self._engine.raw_connection()
        try:
            driver = connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            yield driver
        finally:
            connection.close()
