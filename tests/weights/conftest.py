"""A hub on loopback with a demo-sized repository, and one that fetches from it in this process."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fake_hub import FakeHub, serving, stand_in
from wan22_app.adapters.hub import HuggingFaceHub
from wan22_app.adapters.incoming import IncomingFolders
from wan22_app.adapters.library import FolderLibrary
from wan22_app.adapters.system import SystemClock
from wan22_app.domain.catalog import TI2V_5B, ModelEntry
from wan22_app.domain.download import Amount
from wan22_app.services.bringing import Bringing, Patience, Wanted

TIMEOUT_S = 0.5


@dataclass
class Client:
    """A machine with a models folder, a hub cache and no patience at all."""

    models: Path
    cache: Path
    hub: FakeHub
    reserve: int = 0
    endpoint: str = ""
    heard: list[Amount] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def bring(self) -> None:
        self.bringing.bring(Wanted(TI2V_5B.key, TI2V_5B.repo, self.heard.append))

    @property
    def bringing(self) -> Bringing:
        patience = Patience(attempts=3, report_every_s=0.02, sleep=self.waits.append)
        source = HuggingFaceHub(self.endpoint or self.hub.url, self.cache, TIMEOUT_S)
        incoming = IncomingFolders(self.models, self.reserve)
        return Bringing(source, incoming, SystemClock(), patience)

    @property
    def entry(self) -> ModelEntry:
        return FolderLibrary(self.models, self.models / "loras").entry(TI2V_5B.key)

    @property
    def folder(self) -> Path:
        return self.models / TI2V_5B.repo.rpartition("/")[2]

    def has(self) -> set[str]:
        """Files of the finished model."""
        return {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def hub(tmp_path: Path, demo_models: Path) -> Iterator[FakeHub]:
    folder = stand_in(demo_models, tmp_path / "repository")
    with serving(FakeHub({TI2V_5B.repo: folder})) as served:
        yield served


@pytest.fixture
def client(tmp_path: Path, hub: FakeHub) -> Client:
    models = tmp_path / "models"
    models.mkdir()
    return Client(models, tmp_path / "cache", hub)
