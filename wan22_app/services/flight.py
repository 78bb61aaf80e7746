"""What the dispatcher works with, and a run under way."""

from dataclasses import dataclass

from wan22_app.domain.events import Stage
from wan22_app.domain.job import Job, Progress
from wan22_app.ports import (
    Clock,
    Executor,
    ExperienceStore,
    Images,
    JobStore,
    LatentFiles,
    Library,
    OutputFiles,
    OutputStore,
    Run,
    UsageStore,
    Videos,
)
from wan22_app.services.planning import Planning


@dataclass(frozen=True)
class Surroundings:
    """What the dispatcher works with."""

    jobs: JobStore
    outputs: OutputStore
    files: OutputFiles
    library: Library
    images: Images
    videos: Videos
    latents: LatentFiles
    experience: ExperienceStore
    planning: Planning
    executor: Executor
    usage: UsageStore
    clock: Clock
    app_version: str
    daily_minutes: float
    """Of the card for each person within 24 hours; 0 for no limit."""


@dataclass
class Flight:
    """A run and what was last written about it."""

    run: Run
    job: Job
    heard_at: float
    """When the run last showed a sign of life."""
    watched_at: float
    """When somebody last listened."""
    latest: Progress | None = None
    written: Progress | None = None
    written_at: float = float("-inf")
    stuck: bool = False
    cancelling: bool = False

    @property
    def stage(self) -> Stage | None:
        """What the run said last; None before its first word."""
        return self.latest.stage if self.latest else None


def pixels_of(job: Job) -> int:
    """How much a video is, all frames."""
    return job.request.width * job.request.height * job.request.frames
