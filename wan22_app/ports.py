"""What services need from the outside world. Adapters implement these; services know only these."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Event
from wan22_app.domain.generation import GenerationRequest, ImageRef, LoraRef
from wan22_app.domain.job import HoldReason, Job, JobEvent, JobState, Progress
from wan22_app.domain.memory import Device, Host, MemoryPlan
from wan22_app.domain.output import Output
from wan22_app.domain.values import Value
from wan22_app.domain.work import Work


class NewJob(Value):
    """A confirmed wish. ``key`` makes it idempotent: the same key of a person is the same job."""

    request: GenerationRequest
    key: str
    parent_id: str | None = None


class JobStore(Protocol):
    """The queue's rows. Every method is one transaction and safe from any process.

    Methods that take a person see only that person's jobs and raise NotFound for the rest.
    Methods that take an epoch change nothing and return False when the job has left that epoch or
    is no longer running: a stale run's result is thrown away.
    """

    def add(self, person: Person, new: NewJob, most_waiting: int) -> Job:
        """Insert a queued job, or return the one with the same key. Raises QuotaReached."""
        ...

    def get(self, person: Person, job_id: str) -> Job: ...

    def page(
        self,
        person: Person,
        states: Collection[JobState] = (),
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Job]:
        """Newest first, by number; ``before`` is the last number seen. Empty states: all."""
        ...

    def changed(self, after: int) -> Sequence[Job]:
        """Jobs of everybody whose revision is above ``after``, oldest change first; at most 500."""
        ...

    def latest_revision(self) -> int:
        """The highest revision given out; cheap enough to ask four times a second."""
        ...

    def story(self, person: Person, job_id: str) -> Sequence[JobEvent]: ...

    def candidates(self) -> Sequence[Job]:
        """Queued jobs that may be next, at most 32 per person, in order."""
        ...

    def waiting_ahead(self, job: Job) -> int:
        """How many jobs will start before this queued one; what runs now is not counted."""
        ...

    def running(self) -> Sequence[Job]: ...

    def cancelling(self) -> Sequence[Job]:
        """Queued and running jobs whose cancellation was asked for."""
        ...

    def request_cancel(self, person: Person, job_id: str) -> Job:
        """Raise the flag; a queued job is cancelled at once. Raises Conflict when final."""
        ...

    def remove(self, person: Person, job_id: str) -> None:
        """Hide a final job (its output stays). Raises Conflict for others."""
        ...

    def hold(self, job_id: str, reason: HoldReason) -> None:
        """Set or clear why a queued job is passed over."""
        ...

    def claim(self, job: Job, plan: MemoryPlan) -> Job | None:
        """Compare-and-set ``queued`` at this epoch to ``running`` at the next.

        Counts the attempt. None when somebody was faster or a cancellation came in between.
        """
        ...

    def record(self, job_id: str, epoch: int, progress: Progress) -> bool:
        """Store how far the run is; a new stage also becomes a line of the story."""
        ...

    def succeed(self, job_id: str, epoch: int, output: Output) -> bool:
        """Insert the output and end the job, in one transaction."""
        ...

    def end(self, job_id: str, epoch: int, state: JobState, problem: Problem | None = None) -> bool:
        """End a run in a final state other than ``succeeded``."""
        ...

    def refuse(self, job_id: str, problem: Problem) -> None:
        """End a queued job that cannot run here; nothing happens when it is queued no more."""
        ...

    def wish_free_card(self) -> None:
        """Ask the dispatcher to end idle engines."""
        ...

    def free_card_wishes(self) -> int:
        """How often that was ever asked."""
        ...

    def requeue(self, job_id: str, epoch: int, why: Problem, *, count_attempt: bool = True) -> bool:
        """Put a run back to its place; a polite return does not count as an attempt."""
        ...


class OutputStore(Protocol):
    """Rows of finished videos; written by JobStore.succeed only."""

    def get(self, person: Person, output_id: str) -> Output: ...

    def page(
        self, person: Person, before: datetime | None = None, limit: int = 50
    ) -> Sequence[Output]:
        """Newest first; ``before`` is the creation time of the last one seen."""
        ...

    def known_files(self) -> Collection[str]:
        """File names that belong to a row; everything else in the folder is an orphan."""
        ...


class VideoFacts(Value):
    """What a probe found in a video file."""

    codec: str
    profile: str
    pixel_format: str
    width: int
    height: int
    frames: int
    fps: float
    seconds: float
    metadata: dict[str, str]


class Published(Value):
    """Names inside the outputs folder, and what the video is."""

    video: str
    poster: str
    bytes: int
    sha256: str


class OutputFiles(Protocol):
    """The outputs folder: part files become videos by rename."""

    @property
    def staging(self) -> Path: ...

    def check_writable(self) -> None:
        """Raise UserError when the folder cannot be written or its disk is full."""
        ...

    def publish(self, job_id: str, video: str, poster: str) -> Published:
        """Verify (decodes to the end), fsync, rename both.

        Raises UserError when the video cannot be decoded. Safe to repeat after a crash.
        """
        ...

    def discard(self, job_id: str) -> None:
        """Remove a job's part files; nothing happens when there are none."""
        ...

    def sweep(self, known: Collection[str], live: Collection[str]) -> Sequence[str]:
        """Remove files without a row and part files of jobs that are not ``live``; names removed.

        Only files that carry this app's naming scheme are touched.
        """
        ...


class Library(Protocol):
    """Weights and LoRAs on this machine."""

    def entries(self) -> Sequence[ModelEntry]:
        """Every catalogue entry and every other diffusers folder of a Wan layout, real first."""
        ...

    def entry(self, key: str) -> ModelEntry:
        """Raises ModelUnavailable for an unknown key (not for missing weights)."""
        ...

    def loras(self) -> Sequence[str]:
        """File names under the LoRA folder, sorted."""
        ...

    def check_lora(self, entry: ModelEntry, ref: LoraRef) -> LoraRef:
        """Read the header only; returns the reference with its hash. Raises InvalidRequest."""
        ...

    def lora_path(self, ref: LoraRef) -> Path: ...

    def tokens(self, entry: ModelEntry, text: str) -> int | None:
        """Length in the model's own tokens, end mark included; None without a tokenizer file."""
        ...


class Images(Protocol):
    """The gate for start images; decodes outside the calling process."""

    def accept(self, data: bytes) -> ImageRef:
        """Check, rotate after EXIF, drop metadata, store as PNG. Raises InvalidRequest."""
        ...

    def path(self, image: ImageRef) -> Path:
        """Where the PNG lies; the file exists. Raises InvalidRequest when it is gone."""
        ...


class Probe(Protocol):
    """What the machine has, now."""

    def device(self) -> Device:
        """The card that runs will use, or the CPU."""
        ...

    def host(self) -> Host: ...


class Run(Protocol):
    """One job in flight on a slot."""

    @property
    def job_id(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    def poll(self) -> Sequence[Event]:
        """Events since the last call, without waiting.

        The last event of a run is exactly one of Done, Failed, Cancelled, Crashed; after it
        nothing comes.
        """
        ...

    def cancel(self) -> None:
        """Ask politely; the process is killed if no verdict comes within 1.5 s. Idempotent."""
        ...

    def kill(self) -> None:
        """End the process now. Afterwards it is gone and its memory is back."""
        ...


class Executor(Protocol):
    """Starts runs on slots; one run at a time on each."""

    @property
    def slots(self) -> Sequence[str]:
        """Names of the slots, one per device; constant over the executor's life."""
        ...

    def is_free(self, slot: str) -> bool:
        """Whether no engine, of this executor or left over from another, occupies the slot."""
        ...

    def start(self, work: Work, slot: str) -> Run:
        """Begin a run on a free slot. Never waits for the engine: a failure arrives as an event."""
        ...

    def wait(self, timeout: float) -> None:
        """Return when an event may be waiting, or after ``timeout`` seconds."""
        ...

    def wake(self) -> None:
        """Make a ``wait`` under way return. Safe from any thread."""
        ...

    def free(self, slot: str) -> None:
        """End an idle engine so that the card is empty; nothing happens when it runs a job."""
        ...

    def close(self) -> None:
        """End every engine; returns when all are gone."""
        ...


class Bell(Protocol):
    """Wakes the dispatcher. Rings may be lost; the dispatcher also looks once a second."""

    def ring(self) -> None:
        """Never raises and never waits, whether somebody listens or not."""
        ...


class Clock(Protocol):
    """Wall time for rows and monotonic time for durations."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        ...


class Secrets(Protocol):
    """Randomness, so that tests can fix it."""

    def seed(self) -> int:
        """A new random seed in the range of GenerationRequest.seed."""
        ...

    def new_id(self) -> str:
        """32 hexadecimal characters, unguessable."""
        ...
