"""A dispatcher and a submission over the real store and scripted surroundings."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.conftest import SetClock
from tests.fakes import (
    FakeFiles,
    FakeImages,
    FakeLibrary,
    FakeProbe,
    ScriptedExecutor,
    SilentBell,
)
from tests.values import a_request
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.system import SystemSecrets
from wan22_app.domain.account import Person
from wan22_app.domain.job import Job
from wan22_app.ports import NewJob
from wan22_app.services.dispatch import Dispatcher, Surroundings
from wan22_app.services.submission import Stores, Submission
from wan22_app.services.submission import Surroundings as Around


@dataclass
class World:
    """Everything around the services under test."""

    jobs: SqlJobStore
    outputs: SqlOutputStore
    clock: SetClock
    executor: ScriptedExecutor
    library: FakeLibrary
    files: FakeFiles
    images: FakeImages
    probe: FakeProbe
    bell: SilentBell

    def dispatcher(self) -> Dispatcher:
        """A new one, as after a restart."""
        return Dispatcher(
            Surroundings(
                jobs=self.jobs,
                outputs=self.outputs,
                files=self.files,
                library=self.library,
                images=self.images,
                probe=self.probe,
                executor=self.executor,
                clock=self.clock,
                app_version="test",
            )
        )

    def submission(self, most_waiting: int = 10) -> Submission:
        around = Around(
            self.library, self.images, self.files, self.probe, self.bell, SystemSecrets()
        )
        return Submission(Stores(self.jobs, self.outputs), around, most_waiting)


@pytest.fixture
def world(jobs: SqlJobStore, outputs: SqlOutputStore, clock: SetClock) -> World:
    return World(
        jobs,
        outputs,
        clock,
        ScriptedExecutor(),
        FakeLibrary(),
        FakeFiles(),
        FakeImages(),
        FakeProbe(),
        SilentBell(),
    )


@pytest.fixture
def dispatcher(world: World) -> Dispatcher:
    return world.dispatcher()


Add = Callable[[str], Job]


@pytest.fixture
def add(jobs: SqlJobStore, person: Person) -> Add:
    def add_one(key: str) -> Job:
        return jobs.add(person, NewJob(request=a_request(), key=key), 100)

    return add_one
