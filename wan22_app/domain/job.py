"""The durable record of one generation and the states it can be in."""

from datetime import datetime
from enum import StrEnum

from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import Relief
from wan22_app.domain.values import Value

MAX_DEATHS = 3
"""Claims that may end in a dead process before the job is set aside."""


class JobState(StrEnum):
    """``queued -> running -> final``; ``running -> queued`` only by rescue. Final is final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"

    @property
    def final(self) -> bool:
        """True for the four states that a job never leaves."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.QUARANTINED}
)


class HoldReason(StrEnum):
    """Why a queued job is passed over for now. Empty: it is not held."""

    NONE = ""
    PAUSED = "paused"
    WEIGHTS = "weights"
    SPACE = "space"
    MINUTES = "minutes"


class Progress(Value):
    """How far a running job is. ``done`` of ``total`` units of the stage; expert while denoising.

    ``seconds`` is the time since the run started, by the engine's monotonic clock.
    """

    stage: Stage
    done: int = 0
    total: int = 0
    expert: str = ""
    seconds: float = 0.0


class Job(Value):
    """One row of the queue as everybody but the database sees it.

    ``epoch`` counts claims; every write of a run carries the epoch it was claimed with, so that a
    stale run changes nothing. ``attempts`` counts claims that were not given back politely.
    ``number`` counts submissions; ``place`` orders the queue and equals it until the person
    reorders. ``relief`` is what earlier runs showed to be needed. ``asked`` is the request as it
    was confirmed, where consent let it become a lighter one. ``latents_of`` is the job whose saved
    latents this one goes on with, empty for its own. ``until`` is the step after which a draft
    ends, 0 for a job that makes a video. ``revision`` grows with each change of any job, so
    that readers can ask for what changed.
    """

    id: str
    number: int
    place: int
    owner: str
    request: GenerationRequest
    state: JobState
    hold: HoldReason = HoldReason.NONE
    cancel_requested: bool = False
    attempts: int = 0
    epoch: int = 0
    revision: int = 0
    parent_id: str | None = None
    asked: GenerationRequest | None = None
    latents_of: str = ""
    until: int = 0
    plan: MemoryPlan | None = None
    relief: Relief = Relief()
    progress: Progress | None = None
    problem: Problem | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def wish(self) -> GenerationRequest:
        """What the person confirmed."""
        return self.asked or self.request

    @property
    def latents_id(self) -> str:
        """The job under whose name the latents are kept."""
        return self.latents_of or self.id


class JobEvent(Value):
    """One line of a job's story: what happened when."""

    id: int
    job_id: str
    at: datetime
    kind: str
    text: str
    problem: Problem | None = None
