"""Hand-written stand-ins behind ports: as little as a test of the dispatcher needs."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from wan22_app.domain.catalog import CATALOG, ModelEntry, WeightsState
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.errors import InvalidRequest, ModelUnavailable, Problem, UserError
from wan22_app.domain.events import Cancelled, Event
from wan22_app.domain.figures import Figures
from wan22_app.domain.generation import ImageRef, LoraRef
from wan22_app.domain.output import Recipe
from wan22_app.domain.picture import Background
from wan22_app.domain.plan import Device, Host
from wan22_app.domain.work import Work
from wan22_app.ports import Preview, Published


class ScriptedRun:
    """A run that says what the test puts into ``script``."""

    def __init__(self, work: Work):
        self.work = work
        self.script: list[Event] = []
        self.cancelled = False
        self.killed = False

    @property
    def job_id(self) -> str:
        return self.work.job_id

    @property
    def epoch(self) -> int:
        return self.work.epoch

    def poll(self) -> Sequence[Event]:
        events, self.script = self.script, []
        return events

    def cancel(self) -> None:
        self.cancelled = True
        self.script.append(Cancelled(job_id=self.job_id))

    def kill(self) -> None:
        self.killed = True


class ScriptedExecutor:
    """One slot whose runs the test scripts."""

    slots = ("one",)

    def __init__(self) -> None:
        self.runs: list[ScriptedRun] = []
        self.free_slot = True
        self.freed = 0
        self.closed = False

    def is_free(self, slot: str) -> bool:
        return self.free_slot

    def start(self, work: Work, slot: str) -> ScriptedRun:
        self.runs.append(ScriptedRun(work))
        return self.runs[-1]

    def wait(self, timeout: float) -> None:
        return

    def wake(self) -> None:
        return

    def free(self, slot: str) -> None:
        self.freed += 1

    def close(self) -> None:
        self.closed = True


class FakeLibrary:
    """Every catalogue entry; those in ``missing`` without weights, and none of ``gone``."""

    def __init__(self, missing: Collection[str] = ()):
        self.missing = set(missing)
        self.gone: set[str] = set()

    def entries(self) -> Sequence[ModelEntry]:
        return [self.entry(key) for key in CATALOG]

    def entry(self, key: str) -> ModelEntry:
        if key not in CATALOG or key in self.gone:
            raise ModelUnavailable(Problem(code="no_such_model", what=f"No model “{key}”."))
        if key in self.missing:
            return ModelEntry(
                spec=CATALOG[key],
                state=WeightsState.MISSING,
                problem=f"The weights of {CATALOG[key].name} are not here.",
                cure="Fetch them.",
            )
        return ModelEntry(spec=CATALOG[key], state=WeightsState.READY, folder=f"/models/{key}")

    def loras(self) -> Sequence[str]:
        return ["good.safetensors", "pair_high_noise.safetensors", "pair_low_noise.safetensors"]

    def check_lora(self, entry: ModelEntry, ref: LoraRef) -> LoraRef:
        return ref.model_copy(update={"sha256": "f" * 64})

    def lora_path(self, ref: LoraRef) -> Path:
        return Path("/loras") / ref.file

    def tokens(self, entry: ModelEntry, text: str) -> int | None:
        return len(text.split()) + 1


class FakeFiles:
    """An outputs folder that only remembers; ``refuses`` is raised by the check."""

    staging = Path("/staging")

    def __init__(self) -> None:
        self.published: list[str] = []
        self.discarded: list[str] = []
        self.removed: list[str] = []
        self.held = False
        self.refuses: UserError | None = None
        self.broken: UserError | None = None

    def check_writable(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def publish(self, job_id: str, video: str, poster: str) -> Published:
        if self.broken is not None:
            raise self.broken
        self.published.append(job_id)
        return Published(video=f"{job_id}.mp4", poster=f"{job_id}.webp", bytes=1, sha256="a" * 64)

    def discard(self, job_id: str) -> None:
        self.discarded.append(job_id)

    def preview(self, job_id: str, epoch: int) -> Preview | None:
        return None

    def find(self, name: str) -> Path | None:
        return Path("/outputs") / name

    def remove(self, names: Collection[str]) -> bool:
        self.removed += names
        return not self.held

    def sweep(self, known: Collection[str], live: Collection[str]) -> Sequence[str]:
        return []


class FakeLatents:
    """A folder of saved latents that only remembers."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.denoised: set[str] = set()
        self.spared: Collection[str] = ()
        self.previews: dict[str, str] = {}
        self.faults: list[OSError] = []

    def path(self, job_id: str) -> Path:
        return Path("/latents") / f"{job_id}.safetensors"

    def forget(self, job_id: str) -> None:
        self.forgotten.append(job_id)

    def finished(self, job_id: str) -> bool:
        return job_id in self.denoised

    def keep_preview(self, job_id: str, part: str) -> None:
        if self.faults:
            raise self.faults.pop()
        self.previews[job_id] = part

    def preview(self, job_id: str) -> Preview | None:
        known = job_id in self.previews and job_id not in self.forgotten
        return Preview(Path(self.previews[job_id]), 1) if known else None

    def prune(self, spared: Collection[str]) -> Sequence[str]:
        self.spared = spared
        return []


class FakeImages:
    """Images that are always there."""

    def accept(self, data: bytes, background: Background = "black") -> ImageRef:
        return ImageRef(sha256="0" * 64, width=4, height=4, background=background)

    def on_background(self, image: ImageRef, background: Background) -> ImageRef:
        return image.model_copy(update={"background": background})

    def path(self, image: ImageRef) -> Path:
        return Path("/uploads") / f"{image.sha256}.png"


class FakeVideos:
    """Kept videos that are there unless the test takes them away."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def recipe(self, path: Path) -> Recipe | None:
        return None

    def frame(self, path: Path, seconds: float) -> bytes:
        return b""

    def keep(self, path: Path, still: str) -> VideoRef:
        return VideoRef(sha256="c" * 64, still=still, width=128, height=128, fps=8, frames=17)

    def kept(self, video: VideoRef) -> Path:
        if video.sha256 in self.gone:
            raise InvalidRequest(Problem(code="continues_gone", what="It is gone."))
        return Path("/uploads") / f"{video.sha256}.mp4"

    def compare(self, one: Path, other: Path) -> Comparison:
        return Comparison(frames=1, others=1, psnr=None)

    def brought(self, data: bytes) -> Recipe:
        raise InvalidRequest(Problem(code="video_no_recipe", what="There is none."))


class FakeProbe:
    """A machine of the test's choice."""

    def __init__(self) -> None:
        self.card = Device(kind="cpu", name="test")
        self.machine = Host(total_bytes=64 * 10**9, available_bytes=60 * 10**9, cores=2)

    def device(self) -> Device:
        return self.card

    def host(self) -> Host:
        return self.machine

    def figures(self, now: datetime) -> Figures:
        free = self.machine.available_bytes
        return Figures(
            at=now, cpu_percent=12.5, ram_used=self.machine.total_bytes - free,
            ram_total=self.machine.total_bytes, disk_free=10**12, disk_total=2 * 10**12,
        )  # fmt: skip


class SilentBell:
    """Counts its rings."""

    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1
