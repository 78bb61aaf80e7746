"""Installations with finished videos of a few bytes, and their backups."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.values import PLAN, a_request, an_output
from wan22_app.adapters.backups import FolderShelf
from wan22_app.adapters.db.copies import SqliteCopies
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.bootstrap import build_restore, make_folders, own_folders, places, prepare
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_T2V, ModelSpec
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.job import Job
from wan22_app.ports import NewJob
from wan22_app.services.backup import Backup
from wan22_app.settings import Settings

IMAGE = ImageRef(sha256="a" * 64, original="b" * 64, width=4, height=4)
MANY = 10**6


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def empty_database() -> bytes:
    """Made once: migrations take longer than a test."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "wan22.sqlite"
        migrate(f"sqlite:///{file.as_posix()}")
        return file.read_bytes()


class Place:
    """An installation of its own, in this process."""

    def __init__(self, root: Path):
        root.mkdir()
        self.root = root
        self.wal = False
        names = ("data", "outputs", "models", "loras")
        self.settings = Settings(**{name: root / name for name in names})
        make_folders(self.settings)

    def open(self) -> "Place":
        """With the database that is there, or an empty one."""
        file = self.settings.data / "wan22.sqlite"
        if not file.exists():
            file.write_bytes(empty_database())
        self.engine = self._connect(self.settings.database)
        self.jobs = SqlJobStore(self.engine, SystemClock(), SystemSecrets())
        self.outputs = SqlOutputStore(self.engine)
        return self

    def start(self) -> "Place":
        """As the app does."""
        prepare(self.settings)
        return self.open()

    def close(self) -> None:
        self.engine.dispose()

    def submit(self, key: str, spec: ModelSpec = DEMO_T2V, **fields: object) -> Job:
        request = a_request(spec, **fields)
        return self.jobs.add(LOCAL_PERSON, NewJob(request=request, key=key), MANY)

    def claim(self, job: Job) -> Job:
        claimed = self.jobs.claim(job, PLAN)
        assert claimed is not None
        return claimed

    def finish(self, job: Job) -> bytes:
        """Publish as the dispatcher does: the files first, then row and state at once."""
        job = self.claim(job)
        video = f"video of {job.id}".encode() * 50
        for name, content in ((f"{job.id}.mp4", video), (f"{job.id}.webp", b"poster " + video)):
            part = self.settings.staging / f"{name}.part"
            part.write_bytes(content)
            part.replace(self.settings.outputs / name)
        output = an_output(job).model_copy(update={"sha256": digest(video), "bytes": len(video)})
        assert self.jobs.succeed(job.id, job.epoch, output)
        return video

    def fill(self) -> "Place":
        """Something of each kind: videos, a start image, a LoRA, a waiting and a running job."""
        for number in range(3):
            self.finish(self.submit(f"done {number}"))
        for name in (f"{IMAGE.sha256}.png", f"{IMAGE.original}.original.png"):
            (self.settings.uploads / name).write_bytes(b"picture " + name.encode())
        (self.settings.loras / "Größe 漢.safetensors").write_bytes(b"lora")
        self.running = self.claim(self.submit("running"))
        self.waiting = self.submit("waiting", prompt="a café, 漢字")
        return self

    def back_up(self, target: Path, *, loras: bool = True) -> Path:
        shelf = FolderShelf(places(self.settings), own_folders(self.settings))
        copies = SqliteCopies(self.settings.database, self._connect)
        Backup(copies, shelf, SystemClock(), "1.0").make(target, print, loras=loras)
        return target

    def _connect(self, url: str) -> Engine:
        return create_engine(url, wal=self.wal)

    def restore(self, source: Path, *, replace: bool = False) -> tuple[Path, ...]:
        return build_restore(self.settings).run(source, print, replace=replace).aside

    def files(self) -> dict[str, str]:
        """Every file of this installation by its hash, but locks and logs."""
        skipped = (self.settings.locks, self.settings.logs)
        return {
            path.relative_to(self.root).as_posix(): digest(path.read_bytes())
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.parent not in skipped and path.suffix != ".lock"
        }

    def check(self) -> int:
        """Every visible video has its file with the right hash; how many there are."""
        found = self.outputs.page(LOCAL_PERSON, limit=MANY)
        for output in found:
            content = (self.settings.outputs / output.video).read_bytes()
            assert digest(content) == output.sha256
            poster = (self.settings.outputs / output.poster).read_bytes()
            assert poster == b"poster " + content
        return len(found)


NewPlace = Callable[[str], Place]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of the installations: somewhere that tests may write to."""
    file = tmp_path / "settings" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"max_waiting": 7}), encoding="utf-8")
    monkeypatch.setenv("WAN22_CONFIG", str(file))
    return file


@pytest.fixture
def place(tmp_path: Path, config: Path) -> object:
    """Makes installations, and closes their databases."""
    assert config.is_file()
    made: list[Place] = []

    def new(name: str) -> Place:
        made.append(Place(tmp_path / name))
        return made[-1]

    yield new
    for one in made:
        if hasattr(one, "engine"):
            one.close()
