"""A dispatcher and a submission over the real store and scripted surroundings."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import Engine

from tests.conftest import SetClock
from tests.fakes import (
    FakeFiles,
    FakeImages,
    FakeLatents,
    FakeLibrary,
    FakeProbe,
    FakeVideos,
    ScriptedExecutor,
    SilentBell,
)
from tests.values import a_request
from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.db.usage import SqlUsageStore
from wan22_app.adapters.system import SystemSecrets
from wan22_app.domain.account import Person
from wan22_app.domain.events import Done
from wan22_app.domain.job import Job
from wan22_app.ports import NewJob
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.flight import Surroundings
from wan22_app.services.planning import Planning
from wan22_app.services.retrying import Retrying
from wan22_app.services.submission import Stores, Submission
from wan22_app.services.submission import Surroundings as Around


@dataclass
class World:
    """Everything around the services under test."""

    engine: Engine
    jobs: SqlJobStore
    outputs: SqlOutputStore
    downloads: SqlDownloadStore
    clock: SetClock
    executor: ScriptedExecutor
    library: FakeLibrary
    files: FakeFiles
    images: FakeImages
    videos: FakeVideos
    latents: FakeLatents
    experience: SqlExperienceStore
    probe: FakeProbe
    bell: SilentBell
    daily_minutes: float = 0.0

    @property
    def planning(self) -> Planning:
        return Planning(self.probe, self.experience, "test")

    def dispatcher(self) -> Dispatcher:
        """A new one, as after a restart."""
        return Dispatcher(
            Surroundings(
                jobs=self.jobs,
                outputs=self.outputs,
                files=self.files,
                library=self.library,
                images=self.images,
                videos=self.videos,
                latents=self.latents,
                experience=self.experience,
                planning=self.planning,
                executor=self.executor,
                usage=SqlUsageStore(self.engine, self.clock),
                clock=self.clock,
                app_version="test",
                daily_minutes=self.daily_minutes,
            )
        )

    def submission(self, most_waiting: int = 10) -> Submission:
        around = Around(
            self.library,
            self.images,
            self.videos,
            self.files,
            self.planning,
            self.bell,
            SystemSecrets(),
        )
        return Submission(Stores(self.jobs, self.outputs, self.downloads), around, most_waiting)

    def retrying(self, most_waiting: int = 10) -> Retrying:
        submission = self.submission(most_waiting)
        return Retrying(self.jobs, self.latents, self.library, self.planning, submission)


def done(job: Job) -> Done:
    """The last word of a run that has made its video."""
    return Done(
        job_id=job.id, video="v", poster="p", width=64, height=64, frames=5, fps=8,
        latents_sha256="0" * 64, seconds={"denoising": 1.0},
    )  # fmt: skip


@pytest.fixture
def world(
    database: Engine,
    jobs: SqlJobStore,
    outputs: SqlOutputStore,
    downloads: SqlDownloadStore,
    clock: SetClock,
) -> World:
    return World(
        database,
        jobs,
        outputs,
        downloads,
        clock,
        ScriptedExecutor(),
        FakeLibrary(),
        FakeFiles(),
        FakeImages(),
        FakeVideos(),
        FakeLatents(),
        SqlExperienceStore(database, clock),
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
        request = a_request(width=128, height=128)
        return jobs.add(person, NewJob(request=request, key=key), 100)

    return add_one
