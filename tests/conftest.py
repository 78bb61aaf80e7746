"""Fixtures that every kind of test may use: a real database in a temporary folder."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import Engine
from sqlmodel import Session

from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.db.tables import PersonRow
from wan22_app.adapters.system import SystemSecrets
from wan22_app.demo import provide
from wan22_app.domain.account import LOCAL_PERSON, Person

# What somebody keeps in the project's config.json is no matter of the tests.
os.environ["WAN22_CONFIG"] = str(Path(__file__).parent / "config.json")

# How fast examples are made depends on what else the machine does: no reason for a test to fail.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


class SetClock:
    """A clock that moves only when a test moves it; each look adds a millisecond."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def person() -> Person:
    return LOCAL_PERSON


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    url = f"sqlite:///{(tmp_path / 'wan22.sqlite').as_posix()}"
    migrate(url)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def stranger(database: Engine) -> Person:
    """Somebody else, whose rows nobody may see."""
    with Session(database) as session:
        session.add(PersonRow(id="eve", name="Eve"))
        session.commit()
    return Person(id="eve", name="Eve")


@pytest.fixture
def jobs(database: Engine, clock: SetClock) -> SqlJobStore:
    return SqlJobStore(database, clock, SystemSecrets())


@pytest.fixture
def outputs(database: Engine) -> SqlOutputStore:
    return SqlOutputStore(database)


@pytest.fixture
def downloads(database: Engine, clock: SetClock) -> SqlDownloadStore:
    return SqlDownloadStore(database, clock, SystemSecrets())


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the demo checkpoints."""
    models = tmp_path_factory.mktemp("models")
    provide(models)
    return models


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright leaves an event loop running in the main thread."""
    items.sort(key=lambda item: "tests/e2e/" in item.path.as_posix())
