"""When waiting jobs will start, and how long a job takes, by what this machine has made before."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from wan22_app.domain import estimate
from wan22_app.domain.errors import UserError
from wan22_app.domain.estimate import Stages
from wan22_app.domain.job import Job
from wan22_app.domain.output import Output
from wan22_app.ports import Clock, Library, OutputStore


class Forecast:
    """Estimates; None where this machine has no experience yet."""

    def __init__(self, outputs: OutputStore, library: Library, clock: Clock):
        self._outputs = outputs
        self._library = library
        self._clock = clock

    def experience(self, models: Iterable[str]) -> Sequence[Output]:
        """What the estimates are drawn from, whoever's: one machine makes them all."""
        return self._outputs.experience(set(models))

    def stages(self, job: Job, experience: Sequence[Output]) -> Stages | None:
        """Seconds of each stage of a job."""
        try:
            spec = self._library.entry(job.request.model).spec
        except UserError:
            return None
        found = estimate.estimate_stages(spec, job.request, experience)
        if found is None or not job.until:
            return found
        return estimate.of_draft(found, job.until, job.request.steps)

    def left(self, job: Job, experience: Sequence[Output]) -> float | None:
        """Seconds until a running job's video."""
        stages = self.stages(job, experience)
        if stages is None:
            return None
        if job.progress is None or job.started_at is None:
            return estimate.seconds(stages, cold=True)
        elapsed = (self._clock.now() - job.started_at).total_seconds()
        return estimate.seconds_left(stages, job.progress, elapsed - job.progress.seconds)

    def starts(
        self, running: Sequence[Job], waiting: Sequence[Job], experience: Sequence[Output]
    ) -> Mapping[str, datetime]:
        """When each of the waiting jobs will start, which come in the order of their starts.

        After a job of unknown length nothing is known. A job whose model is not the one before it
        loads first.
        """
        moment = self._clock.now()
        loaded = ""
        found: dict[str, datetime] = {}
        for job in running:
            left = self.left(job, experience)
            if left is None:
                return found
            moment += timedelta(seconds=left)
            loaded = job.request.model
        for job in waiting:
            found[job.id] = moment
            stages = self.stages(job, experience)
            if stages is None:
                return found
            cold = loaded not in ("", job.request.model)
            moment += timedelta(seconds=estimate.seconds(stages, cold=cold))
            loaded = job.request.model
        return found
