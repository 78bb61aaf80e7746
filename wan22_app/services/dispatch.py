"""The loop that turns wishes into runs: rescue, drain events, cancel, pick, claim, start."""

import logging
from dataclasses import dataclass, field

from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.events import (
    Advanced,
    Cancelled,
    Crashed,
    Done,
    Event,
    Failed,
)
from wan22_app.domain.fairness import pick_next
from wan22_app.domain.job import MAX_DEATHS, HoldReason, Job, JobState, Progress
from wan22_app.domain.memory import WontFit, plan_memory
from wan22_app.domain.output import Output
from wan22_app.domain.work import Work
from wan22_app.ports import (
    Clock,
    Executor,
    Images,
    JobStore,
    Library,
    OutputFiles,
    OutputStore,
    Probe,
    Published,
    Run,
)
from wan22_app.services.submission import wont_fit_problem

log = logging.getLogger(__name__)

RECORD_EVERY_S = 0.25
"""A step is written at most four times a second; a new stage at once."""
BACKOFF_S = (1.0, 5.0, 30.0, 120.0, 300.0)
"""Waits after the first, second, … fault of the card in a row."""

STORAGE_PAUSE_S = 10.0

DIED_TEXT = "The engine process stopped{how} while {stage}."


@dataclass(frozen=True)
class Surroundings:
    """What the dispatcher works with."""

    jobs: JobStore
    outputs: OutputStore
    files: OutputFiles
    library: Library
    images: Images
    probe: Probe
    executor: Executor
    clock: Clock
    app_version: str


@dataclass
class Flight:
    """A run and what was last written about it."""

    run: Run
    job: Job
    latest: Progress | None = None
    written: Progress | None = None
    written_at: float = float("-inf")
    cancelling: bool = False


@dataclass
class Dispatcher:
    """Owns the queue. One in the world (a lock decides); not safe for several threads."""

    around: Surroundings
    _flights: dict[str, Flight] = field(default_factory=dict[str, Flight], init=False)
    _rescued: bool = field(default=False, init=False)
    _faults: int = field(default=0, init=False)
    _resume_at: float = field(default=float("-inf"), init=False)
    _free_wishes: int = field(default=0, init=False)

    @property
    def idle(self) -> bool:
        """True when nothing runs."""
        return not self._flights

    def tick(self) -> None:
        """One round. A database error surfaces; everything else is recorded on its job."""
        if not self._rescued and not self._rescue():
            return
        for slot in list(self._flights):
            self._drain(slot)
        self._cancel()
        self._free_card()
        if self.around.clock.monotonic() >= self._resume_at:
            self._fill()

    def stop(self) -> None:
        """Put running jobs back without counting the attempt, and end the engines."""
        for flight in self._flights.values():
            flight.run.kill()
            why = Problem(code="stopped", what="The app was stopped.", cure="It goes on by itself.")
            job = flight.job
            self.around.jobs.requeue(job.id, job.epoch, why, count_attempt=False)
            self.around.files.discard(job.id)
        self._flights.clear()
        self.around.executor.close()

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
            self._requeue_or_set_aside(job, why)
        live = {job.id for job in self.around.jobs.running()}
        swept = self.around.files.sweep(self.around.outputs.known_files(), live)
        if swept:
            log.info("removed files without a job: %s", ", ".join(swept))
        self._free_wishes = self.around.jobs.free_card_wishes()
        self._rescued = True
        return True

    # Events

    def _drain(self, slot: str) -> None:
        flight = self._flights[slot]
        for event in flight.run.poll():
            if isinstance(event, Advanced):
                flight.latest = Progress(
                    stage=event.stage,
                    done=event.done,
                    total=event.total,
                    expert=event.expert,
                    seconds=event.seconds,
                )
                self._write_progress(flight)
                continue
            # Gone from the table first: whatever the verdict raises, the slot is free again.
            del self._flights[slot]
            self._conclude(flight, event)
            return
        self._write_progress(flight)

    def _write_progress(self, flight: Flight) -> None:
        latest, written = flight.latest, flight.written
        if latest is None or latest == written:
            return
        now = self.around.clock.monotonic()
        new_stage = written is None or written.stage is not latest.stage
        if new_stage or now - flight.written_at >= RECORD_EVERY_S:
            self.around.jobs.record(flight.job.id, flight.job.epoch, latest)
            flight.written, flight.written_at = latest, now

    def _conclude(self, flight: Flight, event: Event) -> None:
        job = flight.job
        log.info("job %s: %s", job.id, event.model_dump_json()[:500])
        match event:
            case Done():
                self._publish(job, event)
            case Cancelled():
                self.around.jobs.end(job.id, job.epoch, JobState.CANCELLED)
            case Failed():
                self._failed(job, event)
            case Crashed():
                self._crashed(flight, event)
            case _:
                raise AssertionError(f"not a verdict: {event}")
        self.around.files.discard(job.id)

    def _publish(self, job: Job, done: Done) -> None:
        """File first, row second: a listed video always plays."""
        jobs = self.around.jobs
        if not any(
            running.id == job.id and running.epoch == job.epoch for running in jobs.running()
        ):
            return
        try:
            published = self.around.files.publish(job.id, done.video, done.poster)
        except UserError as error:
            self._failed(job, Failed(job_id=job.id, kind="internal", problem=error.problem))
            return
        self._faults = 0
        jobs.succeed(job.id, job.epoch, self._output(job, done, published))

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
            created_at=self.around.clock.now(),
        )

    def _failed(self, job: Job, event: Failed) -> None:
        jobs = self.around.jobs
        if event.fatal:
            self._fault()
        if event.kind == "storage":
            # The folder may look sound at once again: without a pause the job would spin.
            self._resume_at = self.around.clock.monotonic() + STORAGE_PAUSE_S
            jobs.requeue(job.id, job.epoch, event.problem, count_attempt=False)
            jobs.hold(job.id, HoldReason.SPACE)
            return
        jobs.end(job.id, job.epoch, JobState.FAILED, event.problem)

    def _crashed(self, flight: Flight, event: Crashed) -> None:
        stage = str(flight.latest.stage) if flight.latest else "starting"
        how = "" if event.exit_code is None else f" (exit {event.exit_code})"
        why = Problem(
            code="engine_died",
            what=DIED_TEXT.format(how=how, stage=stage),
            cause="Probably main memory ran out." if event.exit_code in (-9, 137) else "",
            cure="Choose a smaller size or fewer frames if it comes back.",
            evidence=event.log[-4000:],
        )
        self._requeue_or_set_aside(flight.job, why)

    def _requeue_or_set_aside(self, job: Job, why: Problem) -> None:
        """Three deaths set a job aside: the queue behind it must go on."""
        jobs = self.around.jobs
        if job.attempts >= MAX_DEATHS and not job.cancel_requested:
            jobs.end(job.id, job.epoch, JobState.QUARANTINED, why)
        else:
            jobs.requeue(job.id, job.epoch, why)

    def _fault(self) -> None:
        wait = BACKOFF_S[min(self._faults, len(BACKOFF_S) - 1)]
        self._faults += 1
        self._resume_at = self.around.clock.monotonic() + wait

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
        job = pick_next([self._reconsidered(job) for job in candidates])
        if job is None:
            return False
        entry = self.around.library.entry(job.request.model)
        host = self.around.probe.host()
        plan = plan_memory(entry.spec, job.request, self.around.probe.device(), host)
        if isinstance(plan, WontFit):
            self.around.jobs.refuse(job.id, wont_fit_problem(plan))
            return True
        claimed = self.around.jobs.claim(job, plan)
        if claimed is None:
            return True
        try:
            work = self._work(claimed)
        except UserError as error:
            self.around.jobs.end(claimed.id, claimed.epoch, JobState.FAILED, error.problem)
            return True
        self._flights[slot] = Flight(self.around.executor.start(work, slot), claimed)
        return False

    def _reconsidered(self, job: Job) -> Job:
        """The job with its hold as it is now: weights may have come, space may have gone."""
        if job.hold is HoldReason.PAUSED:
            return job
        reason = self._reason_to_wait(job)
        if reason is not job.hold:
            self.around.jobs.hold(job.id, reason)
        return job.model_copy(update={"hold": reason})

    def _reason_to_wait(self, job: Job) -> HoldReason:
        try:
            if not self.around.library.entry(job.request.model).ready:
                return HoldReason.WEIGHTS
            self.around.files.check_writable()
        except UserError as error:
            known = error.problem.code in ("outputs_unwritable", "disk_full")
            return HoldReason.SPACE if known else HoldReason.WEIGHTS
        return HoldReason.NONE

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
            image=str(self.around.images.path(request.image)) if request.image else "",
            loras=tuple(str(self.around.library.lora_path(ref)) for ref in request.loras),
            app_version=self.around.app_version,
        )
