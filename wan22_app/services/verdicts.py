"""What becomes of a job when its run has ended: published, tried again, set aside, over."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field

from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.events import Cancelled, Crashed, Done, Drafted, Event, Failed, Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import MAX_DEATHS, HoldReason, Job, JobState
from wan22_app.domain.lighter import lighter, sentence
from wan22_app.domain.output import Output
from wan22_app.domain.relief import TILED, Extent, Relief, next_rung
from wan22_app.domain.watch import patience
from wan22_app.ports import Published
from wan22_app.services.flight import Flight, Surroundings, pixels_of
from wan22_app.services.story import OUT_OF_MEMORY, again_in, died, stuck, unborn, unpublished

log = logging.getLogger(__name__)

BACKOFF_S = (5.0, 30.0, 120.0, 300.0)
"""Waits after the first, second, … fault of the card in a row."""
STORAGE_PAUSE_S = 10.0


@dataclass
class Verdicts:
    """Carries them out. No job starts before ``resume_at``, by the monotonic clock."""

    around: Surroundings
    resume_at: float = field(default=float("-inf"), init=False)
    _faults: int = field(default=0, init=False)

    def conclude(self, flight: Flight, event: Event) -> None:
        """Write a verdict down. Raises what the database or the disk says; safe to repeat."""
        job = flight.job
        log.info("job %s: %s", job.id, event.model_dump_json()[:500])
        match event:
            case Done():
                self._publish(flight, event)
            case Drafted():
                self._draft(flight, event)
            case Cancelled():
                self.around.jobs.end(job.id, job.epoch, JobState.CANCELLED)
                # Its own, not those of a parent: they can be decoded again.
                self.around.latents.forget(job.id)
            case Failed():
                self._failed(flight, event)
            case Crashed():
                self._crashed(flight, event)
            case _:
                raise AssertionError(f"not a verdict: {event}")
        self.around.files.discard(job.id)

    def _publish(self, flight: Flight, done: Done) -> None:
        """File first, row second: a listed video always plays."""
        jobs, job = self.around.jobs, flight.job
        if not any(
            running.id == job.id and running.epoch == job.epoch for running in jobs.running()
        ):
            return
        try:
            published = self.around.files.publish(job.id, done.video, done.poster)
        except UserError as error:
            self._failed(flight, Failed(job_id=job.id, kind="internal", problem=error.problem))
            return
        except OSError as error:
            self._unkept(flight, error)
            return
        self._faults = 0
        jobs.succeed(job.id, job.epoch, self._output(job, done, published))
        # After a death nobody knows whether memory was the reason: that teaches nothing.
        if job.relief != Relief() and job.attempts == 1:
            device = self.around.planning.probe.device().name
            self.around.experience.put(job.request.model, device, pixels_of(job), job.relief)
        self._learn(job, done)
        self.around.latents.forget(job.latents_id)

    def _draft(self, flight: Flight, drafted: Drafted) -> None:
        """Preview first, end second: a draft that can be decided about has something to show."""
        job = flight.job
        try:
            self.around.latents.keep_preview(job.id, drafted.preview)
        except OSError as error:
            self._unkept(flight, error)
            return
        self._faults = 0
        self.around.jobs.draft(job.id, job.epoch)

    def _unkept(self, flight: Flight, error: OSError) -> None:
        """Without its part there is nothing to wait for: made again, but not for ever."""
        job, why = flight.job, unpublished(error)
        if isinstance(error, FileNotFoundError):
            self.requeue_or_set_aside(job, why)
        else:
            self._failed(flight, Failed(job_id=job.id, kind="storage", problem=why))

    def _learn(self, job: Job, done: Done) -> None:
        """A model that somebody has just taken away teaches nothing."""
        if job.plan is None:
            return
        with suppress(UserError):
            spec = self.around.library.entry(job.request.model).spec
            self.around.planning.learn(spec, job.request, job.plan, done)

    def _output(self, job: Job, done: Done, published: Published) -> Output:
        return Output(
            id=job.id,
            owner=job.owner,
            request=job.request,
            video=published.video,
            poster=published.poster,
            width=done.width,
            height=done.height,
            frames=done.frames,
            fps=done.fps,
            bytes=published.bytes,
            sha256=published.sha256,
            latents_sha256=done.latents_sha256,
            seconds=done.seconds,
            asked=job.asked,
            created_at=self.around.clock.now(),
        )

    def _failed(self, flight: Flight, event: Failed) -> None:
        jobs, job = self.around.jobs, flight.job
        if event.fatal:
            self.fault()
        if event.kind == "storage":
            # The folder may look sound at once again: without a pause the job would spin.
            self.resume_at = self.around.clock.monotonic() + STORAGE_PAUSE_S
            jobs.requeue(job.id, job.epoch, event.problem, count_attempt=False)
            jobs.hold(job, HoldReason.SPACE)
            return
        if event.kind == "device":
            self._once_more(job, event.problem, JobState.FAILED)
            return
        short_of_ram = event.problem.code == "out_of_ram"
        if event.kind == "memory" and self._ease(flight, event.problem, host=short_of_ram):
            return
        jobs.end(job.id, job.epoch, JobState.FAILED, event.problem)

    def _ease(
        self, flight: Flight, why: Problem, *, host: bool, count_attempt: bool = False
    ) -> bool:
        """Put the job back with less need for memory; False when nothing is left to try.

        A verdict is no death, so the attempt is not counted; a kill for want of memory is.
        """
        job = flight.job
        if job.plan is None or flight.latest is None or job.cancel_requested:
            return False
        made = Extent.of(self.around.library.entry(job.request.model).spec, job.request)
        rung = next_rung(job.plan, flight.latest.stage, made, host=host)
        less = None if rung else self._allowed_less(job, flight.latest.stage)
        if rung is not None:
            done = rung.sentence()
        elif less is not None:
            done = f"{sentence(job.wish, less)}, as you allowed"
        else:
            return False
        told = why.model_copy(update={"cure": f"Tried again by itself with {done}."})
        return self.around.jobs.requeue(
            job.id, job.epoch, told, count_attempt=count_attempt, relief=rung, lighter=less
        )

    def _allowed_less(self, job: Job, stage: Stage) -> GenerationRequest | None:
        """A lighter request, but never without consent; None when too little would be left."""
        if not job.request.may_reduce:
            return None
        spec = self.around.library.entry(job.request.model).spec
        return lighter(spec, job.request, job.wish, decoding=stage in TILED)

    def _crashed(self, flight: Flight, event: Crashed) -> None:
        stage = str(flight.stage or "starting")
        if flight.stuck:
            why = stuck(event, stage, patience(flight.stage))
            self.requeue_or_set_aside(flight.job, why)
            return
        if flight.stage is None and (event.exit_code or 0) > 0:
            # Not killed from outside, so the next one will hardly do better at once.
            self.fault()
            self._once_more(flight.job, unborn(event), JobState.QUARANTINED)
            return
        why = died(event, stage)
        starved = event.exit_code in OUT_OF_MEMORY and flight.job.attempts < MAX_DEATHS
        if not (starved and self._ease(flight, why, host=True, count_attempt=True)):
            self.requeue_or_set_aside(flight.job, why)

    def _once_more(self, job: Job, why: Problem, end: JobState) -> None:
        """For what may pass: tried twice more, each after a longer wait, then it has ended so."""
        jobs = self.around.jobs
        if job.attempts >= MAX_DEATHS and not job.cancel_requested:
            jobs.end(job.id, job.epoch, end, why)
            return
        wait = max(0.0, self.resume_at - self.around.clock.monotonic())
        jobs.requeue(job.id, job.epoch, again_in(why, wait, job.attempts + 1, MAX_DEATHS))

    def requeue_or_set_aside(self, job: Job, why: Problem) -> None:
        """Three deaths set a job aside: the queue behind it must go on."""
        jobs = self.around.jobs
        if job.attempts >= MAX_DEATHS and not job.cancel_requested:
            jobs.end(job.id, job.epoch, JobState.QUARANTINED, why)
        else:
            jobs.requeue(job.id, job.epoch, why)

    def fault(self) -> None:
        """The card, or the way to a process on it, is broken for now: wait longer each time."""
        wait = BACKOFF_S[min(self._faults, len(BACKOFF_S) - 1)]
        self._faults += 1
        self.resume_at = self.around.clock.monotonic() + wait
