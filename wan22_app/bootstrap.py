"""The only place that knows concrete classes: settings in, services and the dispatcher out."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from wan22_app import __version__
from wan22_app.adapters import inspection
from wan22_app.adapters.bell import UdpBell
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import check
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.executors.local import LocalExecutor
from wan22_app.adapters.files import FolderOutputFiles
from wan22_app.adapters.images import GatedImages
from wan22_app.adapters.library import FolderLibrary
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.domain.errors import CannotStart, Problem
from wan22_app.ports import Clock, Images, JobStore, Library, OutputStore, Probe
from wan22_app.services import submission
from wan22_app.services.dispatch import Dispatcher, Surroundings
from wan22_app.services.doctor import Doctor, Inspection
from wan22_app.services.gallery import Gallery
from wan22_app.services.queue import Queue
from wan22_app.services.submission import Stores, Submission
from wan22_app.settings import PROJECT, Settings


@dataclass(frozen=True)
class Services:
    """Everything that a page or a command may use."""

    settings: Settings
    submission: Submission
    queue: Queue
    gallery: Gallery
    doctor: Doctor
    jobs: JobStore
    outputs: OutputStore
    library: Library
    images: Images
    probe: Probe
    clock: Clock

    def check_database(self) -> None:
        """Raise CannotStart when the tables are not those of the code."""
        check(self.settings.database)


@cache
def services() -> Services:
    """The services of this process, built once. Opens no connection until one is used."""
    return build_services(Settings())


def make_folders(settings: Settings) -> None:
    """Create every folder that the app writes to; raises CannotStart with the one that fails."""
    for folder in settings.folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(
                Problem(
                    code="folder_missing",
                    what=f"The folder {folder} cannot be created.",
                    cause=str(error.strerror or error) + ".",
                    cure="Create it by hand, or choose another place by its WAN22_ setting.",
                )
            ) from error


def build_services(settings: Settings) -> Services:
    """Wire the adapters to the services. Creates the folders, starts nothing."""
    make_folders(settings)
    clock, secrets = SystemClock(), SystemSecrets()
    engine = create_engine(settings.database)
    jobs, outputs = SqlJobStore(engine, clock, secrets), SqlOutputStore(engine)
    library = FolderLibrary(settings.models, settings.loras)
    images = GatedImages(settings.uploads)
    files = FolderOutputFiles(settings.outputs, settings.staging)
    probe, bell = NvmlProbe(), UdpBell(settings.locks)
    around = submission.Surroundings(library, images, files, probe, bell, secrets)
    return Services(
        settings=settings,
        submission=Submission(Stores(jobs, outputs), around, settings.max_waiting),
        queue=Queue(jobs, bell),
        gallery=Gallery(outputs, settings.outputs),
        doctor=Doctor(probe, library, files, _inspections(settings)),
        jobs=jobs,
        outputs=outputs,
        library=library,
        images=images,
        probe=probe,
        clock=clock,
    )


def _inspections(settings: Settings) -> Sequence[Inspection]:
    return (
        partial(inspection.disk, settings.outputs),
        partial(inspection.database, settings.database),
        inspection.video_libraries,
        partial(inspection.page_builder, PROJECT),
        inspection.versions,
    )


def build_dispatcher(settings: Settings) -> Dispatcher:
    """Wire the dispatcher with one slot for this machine's card, or for its processor."""
    engine = create_engine(settings.database)
    clock, probe = SystemClock(), NvmlProbe()
    device = probe.device()
    slot = "cpu" if device.kind == "cpu" else f"gpu{device.index}"
    return Dispatcher(
        Surroundings(
            jobs=SqlJobStore(engine, clock, SystemSecrets()),
            outputs=SqlOutputStore(engine),
            files=FolderOutputFiles(settings.outputs, settings.staging),
            library=FolderLibrary(settings.models, settings.loras),
            images=GatedImages(settings.uploads),
            probe=probe,
            executor=LocalExecutor(
                (slot,),
                partial(engine_command, device.torch_name, settings.idle_minutes * 60),
                settings.locks,
                settings.logs,
            ),
            clock=clock,
            app_version=__version__,
        )
    )


def engine_command(device: str, idle_seconds: float, slot: str, lock: Path) -> Sequence[str]:
    """The command line of an engine process."""
    return (
        sys.executable,
        *("-m", "wan22_app.engine.child"),
        *("--slot", slot),
        *("--lock", str(lock)),
        *("--device", device),
        *("--idle-seconds", str(idle_seconds)),
    )
