"""When waiting jobs will start, and how long a job takes, by what this machine has made before."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.domain.estimate import estimate_seconds
from wan22_app.domain.job import HoldReason, Job, JobState
from wan22_app.domain.output import Output
from wan22_app.ports import Clock, Library, OutputStore

HISTORY = 50
"""Outputs looked at: the newest of a model is what counts."""


class Forecast:
    """Estimates; None where this machine has no experience yet."""

    def __init__(self, outputs: OutputStore, library: Library, clock: Clock):
        self._outputs = outputs
        self._library = library
        self._clock = clock

    def history(self, person: Person) -> Sequence[Output]:
        """What the estimates are drawn from; read once for many jobs."""
        return self._outputs.page(person, limit=HISTORY)

    def seconds(self, job: Job, history: Sequence[Output]) -> float | None:
        """Duration of a whole job."""
        try:
            spec = self._library.entry(job.request.model).spec
        except UserError:
            return None
        return estimate_seconds(spec, job.request, history)

    def starts(self, queue: Sequence[Job], history: Sequence[Output]) -> Mapping[str, datetime]:
        """When each waiting job will start; ``queue`` is what runs, then what waits in order.

        Held jobs have no start and delay nobody. After a job of unknown length nothing is known.
        """
        moment: datetime | None = self._clock.now()
        found: dict[str, datetime] = {}
        for job in queue:
            if moment is None:
                break
            if job.state is JobState.QUEUED:
                if job.hold is not HoldReason.NONE:
                    continue
                found[job.id] = moment
            moment = self._end(job, moment, history)
        return found

    def _end(self, job: Job, start: datetime, history: Sequence[Output]) -> datetime | None:
        seconds = self.seconds(job, history)
        if seconds is None:
            return None
        begun = job.started_at if job.state is JobState.RUNNING else None
        # A job that takes longer than expected ends now, not in the past.
        return max(start, (begun or start) + timedelta(seconds=seconds))
