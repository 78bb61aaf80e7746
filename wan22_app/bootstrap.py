"""The only place that knows concrete classes: settings in, services and the dispatcher out."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wan22_app import __version__
from wan22_app.adapters import inspection
from wan22_app.adapters.arrivals import FolderArrivals
from wan22_app.adapters.backups import FolderShelf, Places
from wan22_app.adapters.bell import UdpBell
from wan22_app.adapters.db.copies import SqliteCopies, database_file, is_sqlite
from wan22_app.adapters.db.downloads import SqlDownloadStore
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.adapters.db.figures import SqlFigureStore
from wan22_app.adapters.db.jobs import SqlJobStore
from wan22_app.adapters.db.migrate import check, migrate
from wan22_app.adapters.db.outputs import SqlOutputStore
from wan22_app.adapters.db.preferences import SqlPresetStore, SqlSettingStore
from wan22_app.adapters.db.usage import SqlUsageStore
from wan22_app.adapters.executors.local import Command, LocalExecutor
from wan22_app.adapters.fetcher import ProcessFetcher
from wan22_app.adapters.files import FolderOutputFiles
from wan22_app.adapters.images import GatedImages
from wan22_app.adapters.incoming import IncomingFolders
from wan22_app.adapters.latents import FolderLatents
from wan22_app.adapters.library import FolderLibrary
from wan22_app.adapters.locks import single_backup
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.adapters.system import SystemClock, SystemSecrets
from wan22_app.adapters.videos import PyavVideos
from wan22_app.config_file import config_file
from wan22_app.domain.backup import LORAS, OUTPUTS, UPLOADS
from wan22_app.domain.errors import CannotStart, Problem
from wan22_app.domain.output import LIBRARIES, SOMETIMES
from wan22_app.ports import Clock, Images, JobStore, Library, OutputStore, Probe
from wan22_app.services import submission
from wan22_app.services.backup import Backup, Restore
from wan22_app.services.bringing import Bringing
from wan22_app.services.dispatch import Dispatcher
from wan22_app.services.doctor import Doctor, Inspection
from wan22_app.services.downloading import Downloading
from wan22_app.services.drafts import Drafts
from wan22_app.services.enhancement import Enhancement
from wan22_app.services.fetching import Fetching
from wan22_app.services.flight import Surroundings
from wan22_app.services.forecast import Forecast
from wan22_app.services.gallery import Gallery
from wan22_app.services.monitoring import Monitoring
from wan22_app.services.planning import Planning
from wan22_app.services.preferences import Preferences
from wan22_app.services.quality import Quality
from wan22_app.services.queue import Queue
from wan22_app.services.recipes import Here, Recipes
from wan22_app.services.retrying import Retrying
from wan22_app.services.submission import Stores, Submission
from wan22_app.services.verification import Verification
from wan22_app.services.weights import Weights
from wan22_app.settings import PROJECT, Settings


@dataclass(frozen=True)
class Services:
    """Everything that a page or a command may use."""

    settings: Settings
    submission: Submission
    retrying: Retrying
    drafts: Drafts
    queue: Queue
    gallery: Gallery
    recipes: Recipes
    verification: Verification
    weights: Weights
    doctor: Doctor
    monitoring: Monitoring
    forecast: Forecast
    preferences: Preferences
    quality: Quality
    enhancement: Enhancement
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
                    cure="Create it by hand, or choose another place: see docs/settings.md.",
                )
            ) from error


def prepare(settings: Settings) -> None:
    """Bring the installation into a state to start from; whoever opens the database does it first.

    A restore that was killed half way is undone: old rows would show videos that have been moved
    aside. Then the tables are brought up to date. Raises CannotStart, also while a restore runs.
    """
    if is_sqlite(settings.database):
        arrivals = FolderArrivals(places(settings))
        if arrivals.unfinished():
            with single_backup(settings.locks):
                arrivals.clear()
    migrate(settings.database)


def build_services(settings: Settings) -> Services:
    """Wire the adapters to the services. Creates the folders, starts nothing."""
    make_folders(settings)
    clock, secrets = SystemClock(), SystemSecrets()
    engine = create_engine(settings.database)
    jobs, outputs = SqlJobStore(engine, clock, secrets), SqlOutputStore(engine)
    downloads = SqlDownloadStore(engine, clock, secrets)
    library = FolderLibrary(settings.models, settings.loras)
    images, videos = GatedImages(settings.uploads), PyavVideos(settings.uploads)
    files = FolderOutputFiles(settings.outputs, settings.staging)
    probe, bell = NvmlProbe(settings.outputs, settings.trials), UdpBell(settings.locks)
    gallery = Gallery(outputs, files, clock)
    planning = Planning(probe, SqlExperienceStore(engine, clock), computing_versions())
    settings_rows = SqlSettingStore(engine)
    preferences = Preferences(settings_rows, SqlPresetStore(engine), planning, secrets)
    around = submission.Surroundings(
        library, images, videos, files, planning, bell, secrets, preferences.defaults
    )
    submitting = Submission(Stores(jobs, outputs, downloads), around, settings.max_waiting)
    latents = FolderLatents(settings.latents)
    recipes = Recipes(gallery, videos, images, library, Here(probe.device, libraries()))
    return Services(
        settings=settings,
        submission=submitting,
        retrying=Retrying(jobs, latents, library, planning, submitting),
        drafts=Drafts(jobs, latents, submitting),
        queue=Queue(jobs, files, bell),
        gallery=gallery,
        recipes=recipes,
        verification=Verification(recipes, videos, submitting, gallery),
        weights=Weights(downloads, library, bell),
        doctor=Doctor(probe, library, files, _inspections(settings)),
        monitoring=Monitoring(probe, SqlFigureStore(engine), clock),
        forecast=Forecast(outputs, library, clock),
        preferences=preferences,
        quality=Quality(settings_rows),
        enhancement=Enhancement(library),
        jobs=jobs,
        outputs=outputs,
        library=library,
        images=images,
        probe=probe,
        clock=clock,
    )


def libraries() -> dict[str, str]:
    """What computes here, by the packages' own metadata, so that torch stays unimported."""
    found = dict[str, str]()
    for name in (*LIBRARIES, *SOMETIMES):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def computing_versions() -> str:
    """What the time and the memory of a run depend on beside the machine."""
    return " ".join((__version__, *map(version, ("torch", "diffusers"))))


def _inspections(settings: Settings) -> Sequence[Inspection]:
    return (
        partial(inspection.settings, config_file(), settings.origins()),
        partial(inspection.disk, settings.outputs),
        partial(inspection.database, settings.database),
        partial(inspection.tried, settings.trials),
        inspection.video_libraries,
        partial(inspection.page_builder, PROJECT),
        inspection.versions,
    )


def build_dispatcher(settings: Settings, command: Command | None = None) -> Dispatcher:
    """Wire the dispatcher with one slot for this machine's card, or for its processor.

    ``command`` starts another program than our engine that speaks its protocol.
    """
    engine = create_engine(settings.database)
    clock, probe = SystemClock(), NvmlProbe(settings.outputs, settings.trials)
    experience = SqlExperienceStore(engine, clock)
    device = probe.device()
    slot = "cpu" if device.kind == "cpu" else f"gpu{device.index}"
    return Dispatcher(
        Surroundings(
            jobs=SqlJobStore(engine, clock, SystemSecrets()),
            outputs=SqlOutputStore(engine),
            files=FolderOutputFiles(settings.outputs, settings.staging),
            library=FolderLibrary(settings.models, settings.loras),
            images=GatedImages(settings.uploads),
            videos=PyavVideos(settings.uploads),
            latents=FolderLatents(settings.latents),
            experience=experience,
            planning=Planning(probe, experience, computing_versions()),
            executor=LocalExecutor(
                (slot,),
                command or partial(engine_command, settings, device.torch_name),
                settings.locks,
                settings.logs,
            ),
            usage=SqlUsageStore(engine, clock),
            clock=clock,
            app_version=__version__,
            daily_minutes=settings.daily_minutes,
        )
    )


def build_monitoring(settings: Settings) -> Monitoring:
    """Wire what samples the machine's figures; one process of an installation does."""
    store = SqlFigureStore(create_engine(settings.database))
    return Monitoring(NvmlProbe(settings.outputs, settings.trials), store, SystemClock())


def build_gallery(settings: Settings) -> Gallery:
    """Wire what clears the bin; the process that owns the queue does."""
    files = FolderOutputFiles(settings.outputs, settings.staging)
    return Gallery(SqlOutputStore(create_engine(settings.database)), files, SystemClock())


def build_fetching(settings: Settings, on_exit: Callable[[], None]) -> Fetching:
    """Wire what starts and watches downloaders; the process that owns the queue does."""
    store = SqlDownloadStore(create_engine(settings.database), SystemClock(), SystemSecrets())
    return Fetching(store, ProcessFetcher(downloader_command, settings.logs, on_exit))


def build_downloading(settings: Settings) -> Downloading:
    """Wire the downloader. Nobody else may load what talks to the network."""
    from wan22_app.adapters.hub import HuggingFaceHub

    clock = SystemClock()
    store = SqlDownloadStore(create_engine(settings.database), clock, SystemSecrets())
    incoming = IncomingFolders(settings.models)
    return Downloading(store, Bringing(HuggingFaceHub(), incoming, clock))


def build_backup(settings: Settings) -> Backup:
    """Wire what writes backups; it runs beside everything else."""
    shelf = FolderShelf(places(settings), own_folders(settings))
    return Backup(SqliteCopies(settings.database), shelf, SystemClock(), __version__)


def build_restore(settings: Settings) -> Restore:
    """Wire what brings backups back; the caller sees to it that nobody else runs."""
    arrivals = FolderArrivals(places(settings))
    return Restore(SqliteCopies(settings.database), arrivals, SystemClock())


def own_folders(settings: Settings) -> Sequence[Path]:
    """The folders that no backup may lie in."""
    return (settings.data, settings.outputs, settings.models, settings.loras)


def places(settings: Settings) -> Places:
    """Where this installation has what a backup holds. Raises UserError without an own file."""
    folders = {OUTPUTS: settings.outputs, UPLOADS: settings.uploads, LORAS: settings.loras}
    return Places(database_file(settings.database), config_file(), folders)


def downloader_command(download_id: str) -> Sequence[str]:
    """The command line of a downloader process."""
    return (sys.executable, "-m", "wan22_app.downloader", download_id)


def engine_command(settings: Settings, device: str, slot: str, lock: Path) -> Sequence[str]:
    """The command line of an engine process."""
    return (
        sys.executable,
        *("-m", "wan22_app.engine.child"),
        *("--slot", slot),
        *("--lock", str(lock)),
        *("--device", device),
        *("--embeddings", str(settings.embeddings)),
        *("--quantized", str(settings.quantized)),
        *("--trials", str(settings.trials)),
        *("--compiled", str(settings.compiled)),
        *("--idle-seconds", str(settings.idle_minutes * 60)),
    )
