"""The durable record of one generation and the states it can be in."""

from datetime import datetime
from enum import StrEnum

from wan22_app.domain.errors import Problem
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import MemoryPlan
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
    ``number`` orders the queue (first in, first out). ``revision`` grows with each change of any
    job, so that readers can ask for what changed.
    """

    id: str
    number: int
    owner: str
    request: GenerationRequest
    state: JobState
    hold: HoldReason = HoldReason.NONE
    cancel_requested: bool = False
    attempts: int = 0
    epoch: int = 0
    revision: int = 0
    parent_id: str | None = None
    plan: MemoryPlan | None = None
    progress: Progress | None = None
    problem: Problem | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class JobEvent(Value):
    """One line of a job's story: what happened when."""

    id: int
    job_id: str
    at: datetime
    kind: str
    text: str
    problem: Problem | None = None
