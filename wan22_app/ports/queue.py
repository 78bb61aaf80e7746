"""The queue's rows, and the bell that wakes who owns it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import FINAL_STATES, HoldReason, Job, JobEvent, JobState, Progress
from wan22_app.domain.output import Output
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import Relief
from wan22_app.domain.values import Value


class NewJob(Value):
    """A confirmed wish. ``key`` makes it idempotent: the same key of a person is the same job.

    ``told`` is the first line of its story; ``first`` puts it before the person's own waiting jobs,
    without taking anybody else's turn. ``until`` makes it a draft. The rest is what a job takes
    over from its parent: what was asked, whose latents, and what its runs showed to be needed.
    """

    request: GenerationRequest
    key: str
    told: str = "Queued."
    first: bool = False
    parent_id: str | None = None
    asked: GenerationRequest | None = None
    latents_of: str = ""
    until: int = 0
    relief: Relief = Relief()


class Revision(NamedTuple):
    """``latest`` moves with every change, ``lists`` with those beyond a run's progress."""

    latest: int
    lists: int


class JobStore(Protocol):
    """The queue's rows. Every method is one transaction and safe from any process.

    Methods that take a person see only that person's jobs and raise NotFound for the rest.
    Methods that take an epoch change nothing and return False when the job has left that epoch or
    is no longer running: a stale run's result is thrown away.
    """

    def add(self, person: Person, new: NewJob, most_waiting: int) -> Job:
        """Insert a queued job, or return the one with the same key. Raises QuotaReached."""
        ...

    def add_all(self, person: Person, news: Sequence[NewJob], most_waiting: int) -> Sequence[Job]:
        """Insert queued jobs in this order, all or none of them; those whose keys are known are
        returned as they are. Raises QuotaReached."""
        ...

    def get(self, person: Person, job_id: str) -> Job: ...

    def changed(self, after: int) -> Sequence[Job]:
        """Jobs of everybody whose revision is above ``after``, oldest change first; at most 500."""
        ...

    def latest_revision(self) -> Revision:
        """How far changes have come; cheap enough to ask four times a second."""
        ...

    def story(self, person: Person, job_id: str) -> Sequence[JobEvent]: ...

    def candidates(self, per_person: int = 32) -> Sequence[Job]:
        """The first queued jobs of everybody whose queue is not paused, in order.

        At most so many per person and reason to wait.
        """
        ...

    def served(self) -> Mapping[str, int]:
        """Each person's last start, as a number that grows with every start of anybody."""
        ...

    def running(self) -> Sequence[Job]: ...

    def ended_in_series(self, person: Person, series: str) -> int:
        """How many ended jobs there are whose keys begin so, removed ones included."""
        ...

    def unfinished_latents(self) -> Collection[str]:
        """Under which names waiting and running jobs of everybody keep their latents."""
        ...

    def cancelling(self) -> Sequence[Job]:
        """Queued and running jobs whose cancellation was asked for."""
        ...

    def request_cancel(self, person: Person, job_id: str) -> Job:
        """Raise the flag; a queued job is cancelled at once. Raises Conflict when final."""
        ...

    def remove(self, person: Person, job_id: str) -> None:
        """Hide a final job (its output stays). Raises Conflict for others."""
        ...

    def queue(self, person: Person, limit: int = 50) -> Sequence[Job]:
        """What runs, then what waits, in order."""
        ...

    def ended(
        self,
        person: Person,
        states: Collection[JobState] = FINAL_STATES,
        before: Job | None = None,
        limit: int = 20,
    ) -> Sequence[Job]:
        """The last to end first; ``before`` is the last one seen. Removed ones are left out."""
        ...

    def drafts(self, person: Person, limit: int) -> Sequence[Job]:
        """Drafts that have come to their last step, the newest first. Removed ones are left out."""
        ...

    def move(self, person: Person, job_id: str, before: str | None) -> None:
        """Put a waiting job before another of the person's, or last. Raises Conflict otherwise.

        Nobody else's job gets another place.
        """
        ...

    def pause(self, person: Person, job_id: str, *, paused: bool) -> None:
        """Hold a waiting job back, or let it go on. Raises Conflict when it waits no longer."""
        ...

    def pause_queue(self, person: Person, *, paused: bool) -> None:
        """Start none of the person's jobs, or start them again; what runs goes on."""
        ...

    def is_queue_paused(self, person: Person) -> bool: ...

    def hold(self, job: Job, reason: HoldReason) -> None:
        """Set or clear why a queued job is passed over, unless its hold has changed meanwhile."""
        ...

    def claim(self, job: Job, plan: MemoryPlan) -> Job | None:
        """Compare-and-set ``queued`` at this epoch to ``running`` at the next.

        Counts the attempt. None when somebody was faster or a cancellation came in between.
        """
        ...

    def record(self, job_id: str, epoch: int, progress: Progress) -> bool:
        """Store how far the run is; a new stage also becomes a line of the story."""
        ...

    def note(self, job_id: str, epoch: int, kind: str, text: str) -> bool:
        """Add a line to the story of a run."""
        ...

    def succeed(self, job_id: str, epoch: int, output: Output) -> bool:
        """Insert the output and end the job, in one transaction."""
        ...

    def draft(self, job_id: str, epoch: int) -> bool:
        """End a draft as ``succeeded``: it has no output."""
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

    def requeue(
        self,
        job_id: str,
        epoch: int,
        why: Problem,
        *,
        count_attempt: bool = True,
        relief: Relief | None = None,
        lighter: GenerationRequest | None = None,
    ) -> bool:
        """Put a run back to its place; a polite return does not count as an attempt.

        ``relief`` is what the next run must be given, on top of its plan; ``lighter`` takes the
        request's place, and what was asked is kept beside it.
        """
        ...


class UsageStore(Protocol):
    """How long people's jobs had the card."""

    def within(self, person_id: str, span: timedelta) -> timedelta:
        """Time that the last run of each ended job took, as far as it lies within ``span``.

        Earlier attempts of a job, which a crash or a stop ended, are not the person's doing.
        """
        ...


class Bell(Protocol):
    """Wakes the dispatcher. Rings may be lost; the dispatcher also looks once a second."""

    def ring(self) -> None:
        """Never raises and never waits, whether somebody listens or not."""
        ...
