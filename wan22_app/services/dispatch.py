"""The loop that turns wishes into runs: rescue, drain events, cancel, pick, claim, start."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta

from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.events import (
    Advanced,
    Event,
    Resumed,
    Verdict,
)
from wan22_app.domain.fairness import pick_next
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.job import HoldReason, Job, JobState, Progress
from wan22_app.domain.plan import MemoryPlan, WontFit
from wan22_app.domain.relief import eased, stronger
from wan22_app.domain.watch import patience
from wan22_app.domain.work import Work
from wan22_app.services.flight import Flight, Surroundings, pixels_of
from wan22_app.services.story import resumed, unstartable
from wan22_app.services.submission import wont_fit_problem
from wan22_app.services.verdicts import Verdicts

log = logging.getLogger(__name__)

DAY = timedelta(hours=24)
PRUNE_EVERY_S = 3600.0
RECORD_EVERY_S = 0.25
"""A step is written at most four times a second; a new stage at once."""
ASLEEP_S = 60.0
"""A dispatcher that has not looked for so long was not there to hear anything."""


@dataclass
class Dispatcher:
    """Owns the queue. One in the world (a lock decides); not safe for several threads."""

    around: Surroundings
    _flights: dict[str, Flight] = field(default_factory=dict[str, Flight], init=False)
    _unwritten: list[tuple[Flight, Event]] = field(
        default_factory=list[tuple[Flight, Event]], init=False
    )
    """Verdicts that the database or the disk has not taken yet."""
    _rescued: bool = field(default=False, init=False)
    _free_wishes: int = field(default=0, init=False)
    _prune_at: float = field(default=float("-inf"), init=False)
    _draining: bool = field(default=False, init=False)
    _unsure: bool = field(default=False, init=False)
    """A start was begun and is not written down to its end."""

    def __post_init__(self) -> None:
        self._verdicts = Verdicts(self.around)

    def drain(self) -> None:
        """Start no further job; what runs is finished."""
        self._draining = True

    @property
    def idle(self) -> bool:
        """True when nothing runs and all that ran is written down."""
        return not (self._flights or self._unwritten or self._unsure)

    def tick(self) -> None:
        """One round. A database error surfaces; everything else is recorded on its job."""
        if not self._rescued and not self._rescue():
            return
        for slot in list(self._flights):
            self._drain(slot)
        self._write_verdicts()
        if self._unsure:
            self._put_back_strays()
        self._cancel()
        self._free_card()
        self._prune_latents()
        if not self._draining and self.around.clock.monotonic() >= self._verdicts.resume_at:
            self._fill()

    def stop(self) -> None:
        """Put running jobs back without counting the attempt, and end the engines."""
        flights, self._flights = list(self._flights.values()), {}
        for flight in flights:
            flight.run.kill()
        # The engines are gone whatever the database says below; what it refuses is rescued later.
        self.around.executor.close()
        self._write_verdicts()
        why = Problem(code="stopped", what="The app was stopped.", cure="It goes on by itself.")
        for job in (flight.job for flight in flights):
            self.around.jobs.requeue(job.id, job.epoch, why, count_attempt=False)
            self.around.files.discard(job.id)

    # Rescue

    def _rescue(self) -> bool:
        """Requeue what an earlier dispatcher left running; False while its engines still end.

        An engine that still holds its slot may still write: requeueing now could run a job twice.
        """
        executor = self.around.executor
        if not all(executor.is_free(slot) for slot in executor.slots):
            return False
        for job in self.around.jobs.running():
            why = Problem(code="rescued", what="The app ended in the middle of this job.")
            self._verdicts.requeue_or_set_aside(job, why)
        live = {job.id for job in self.around.jobs.running()}
        swept = self.around.files.sweep(self.around.outputs.known_files(), live)
        if swept:
            log.info("removed files without a job: %s", ", ".join(swept))
        self._free_wishes = self.around.jobs.free_card_wishes()
        self._rescued = True
        return True

    def _prune_latents(self) -> None:
        """Once an hour remove what is old or too much, but nothing that a job goes on with."""
        now = self.around.clock.monotonic()
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_EVERY_S
            self.around.latents.prune(self.around.jobs.unfinished_latents())

    def _put_back_strays(self) -> None:
        """Requeue what is claimed and neither runs nor has a verdict: its start was cut short."""
        mine = {flight.job.id for flight in self._flights.values()}
        mine |= {flight.job.id for flight, _ in self._unwritten}
        why = Problem(code="unstarted", what="This job was chosen, but could not be started.")
        for job in self.around.jobs.running():
            if job.id not in mine:
                self.around.jobs.requeue(job.id, job.epoch, why, count_attempt=False)
        self._unsure = False

    # Events

    def _drain(self, slot: str) -> None:
        flight = self._flights[slot]
        events = flight.run.poll()
        if events:
            flight.heard_at = self.around.clock.monotonic()
        verdict = next((event for event in events if isinstance(event, Verdict)), None)
        if verdict is not None:
            # First of all: a line that the database refuses must not take the verdict along.
            # Whatever becomes of it, the slot is free again.
            del self._flights[slot]
            self._unwritten.append((flight, verdict))
        for event in events:
            if isinstance(event, Advanced):
                flight.latest = Progress(
                    stage=event.stage,
                    done=event.done,
                    total=event.total,
                    expert=event.expert,
                    seconds=event.seconds,
                )
                self._write_progress(flight)
            if isinstance(event, Resumed):
                self.around.jobs.note(flight.job.id, flight.job.epoch, "resumed", resumed(event))
        self._write_progress(flight)
        if slot in self._flights:
            self._watch(flight)

    def _watch(self, flight: Flight) -> None:
        """End a run that has shown no sign of life for too long; its end arrives as an event."""
        now = self.around.clock.monotonic()
        if now - flight.watched_at > ASLEEP_S:
            # Nobody listened meanwhile, or the whole machine slept: that silence is not the run's.
            flight.heard_at = now
        flight.watched_at = now
        silence = now - flight.heard_at
        if not flight.stuck and silence > patience(flight.stage):
            flight.stuck = True
            log.error("job %s: no sign of life for %.0f s", flight.job.id, silence)
            flight.run.kill()

    def _write_progress(self, flight: Flight) -> None:
        latest, written = flight.latest, flight.written
        if latest is None or latest == written:
            return
        now = self.around.clock.monotonic()
        new_stage = written is None or written.stage is not latest.stage
        if new_stage or now - flight.written_at >= RECORD_EVERY_S:
            self.around.jobs.record(flight.job.id, flight.job.epoch, latest)
            flight.written, flight.written_at = latest, now

    def _write_verdicts(self) -> None:
        """Each until it stands: a verdict lost here would leave its job running for ever."""
        for flight, event in list(self._unwritten):
            try:
                self._verdicts.conclude(flight, event)
            except Exception:
                log.exception("the end of job %s could not be written yet", flight.job.id)
            else:
                self._unwritten.remove((flight, event))

    # Wishes

    def _cancel(self) -> None:
        """Tell the runs whose person changed their mind."""
        waiting = [flight for flight in self._flights.values() if not flight.cancelling]
        if not waiting:
            return
        unwanted = {job.id for job in self.around.jobs.cancelling()}
        for flight in waiting:
            if flight.job.id in unwanted:
                flight.cancelling = True
                flight.run.cancel()

    def _free_card(self) -> None:
        """End idle engines once for each time that somebody asked."""
        wishes = self.around.jobs.free_card_wishes()
        if wishes != self._free_wishes:
            self._free_wishes = wishes
            for slot in self.around.executor.slots:
                if slot not in self._flights:
                    self.around.executor.free(slot)

    # Starts

    def _fill(self) -> None:
        for slot in self.around.executor.slots:
            while slot not in self._flights and self._start_one(slot):
                continue

    def _start_one(self, slot: str) -> bool:
        """Try the next job; True when there may be another to try for this slot."""
        candidates = self.around.jobs.candidates()
        if not candidates:
            return False
        # Once a round: a file is written to see it. And once for a person: a sum over a day's jobs.
        full = self._is_full()
        spent = {owner for owner in {job.owner for job in candidates} if self._has_used_up(owner)}
        ready = [self._reconsidered(job, full=full, spent=job.owner in spent) for job in candidates]
        job = pick_next(ready, self.around.jobs.served())
        if job is None:
            return False
        entry = self.around.library.entry(job.request.model)
        plan = self.around.planning.plan(entry.spec, job.request)
        if isinstance(plan, WontFit):
            self.around.jobs.refuse(job.id, wont_fit_problem(plan))
            return True
        # Until the end is reached nobody may rely on it: the database can refuse every line.
        self._unsure = True
        claimed = self.around.jobs.claim(job, self._eased(job, plan))
        more = claimed is None or self._launch(slot, claimed)
        self._unsure = False
        return more

    def _launch(self, slot: str, claimed: Job) -> bool:
        """Start a claimed job; True when it ended at once, so that another may be tried."""
        try:
            work = self._work(claimed)
        except UserError as error:
            self.around.jobs.end(claimed.id, claimed.epoch, JobState.FAILED, error.problem)
            return True
        try:
            run = self.around.executor.start(work, slot)
        except OSError as error:
            why = unstartable(error)
            self.around.jobs.requeue(claimed.id, claimed.epoch, why, count_attempt=False)
            self._verdicts.fault()
        else:
            now = self.around.clock.monotonic()
            self._flights[slot] = Flight(run, claimed, heard_at=now, watched_at=now)
        return False

    def _eased(self, job: Job, plan: MemoryPlan) -> MemoryPlan:
        """The plan with what this job, or a like one before, showed to be needed."""
        device = self.around.planning.probe.device().name
        known = self.around.experience.needed(job.request.model, device, pixels_of(job))
        return eased(plan, stronger(known, job.relief))

    def _reconsidered(self, job: Job, *, full: bool, spent: bool) -> Job:
        """The job with its hold as it is now: weights may have come, space may have gone."""
        if job.hold is HoldReason.PAUSED:
            return job
        reason = self._reason_to_wait(job, full=full, spent=spent)
        if reason is not job.hold:
            self.around.jobs.hold(job, reason)
        return job.model_copy(update={"hold": reason})

    def _reason_to_wait(self, job: Job, *, full: bool, spent: bool) -> HoldReason:
        if not self._has_weights(job):
            return HoldReason.WEIGHTS
        if full:
            return HoldReason.SPACE
        return HoldReason.MINUTES if spent else HoldReason.NONE

    def _has_weights(self, job: Job) -> bool:
        try:
            return self.around.library.entry(job.request.model).ready
        except UserError:
            return False

    def _is_full(self) -> bool:
        """Whether the outputs folder takes no file, or has less than the reserve left."""
        try:
            self.around.files.check_writable()
        except UserError:
            return True
        return False

    def _has_used_up(self, person_id: str) -> bool:
        """Whether a person's jobs have had the card for as long as they may."""
        allowed = timedelta(minutes=self.around.daily_minutes)
        return bool(allowed) and self.around.usage.within(person_id, DAY) >= allowed

    def _work(self, job: Job) -> Work:
        request = job.request
        assert job.plan is not None
        return Work(
            job_id=job.id,
            epoch=job.epoch,
            request=request,
            plan=job.plan,
            entry=self.around.library.entry(request.model),
            staging=str(self.around.files.staging),
            image=self._image(request.image),
            last_image=self._image(request.last_image),
            continues=self._video(request.continues),
            loras=tuple(str(self.around.library.lora_path(ref)) for ref in request.loras),
            latents=str(self.around.latents.path(job.latents_id)),
            until=job.until,
            asked=job.asked,
            parent=job.parent_id or "",
            app_version=self.around.app_version,
        )

    def _video(self, video: VideoRef | None) -> str:
        return "" if video is None else str(self.around.videos.kept(video))

    def _image(self, image: ImageRef | None) -> str:
        return "" if image is None else str(self.around.images.path(image))
