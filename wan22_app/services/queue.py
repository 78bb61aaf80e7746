"""Looking at one's jobs and changing one's mind about them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wan22_app.domain.account import Person
from wan22_app.domain.fairness import before_new, in_turn
from wan22_app.domain.job import FINAL_STATES, Job, JobEvent, JobState
from wan22_app.ports import Bell, JobStore, OutputFiles, Preview


@dataclass(frozen=True)
class Line:
    """Who is before whom. ``waiting`` is in the order of the starts and leaves out what is held."""

    running: Sequence[Job]
    waiting: Sequence[Job]
    before_new: int
    """Waiting jobs that start before one that the person adds now."""

    @property
    def ahead(self) -> Mapping[str, int]:
        """How many jobs end before a waiting one starts."""
        return {job.id: len(self.running) + n for n, job in enumerate(self.waiting)}


class Queue:
    """A person's view of the queue. Nobody else's jobs can be seen or touched through it."""

    def __init__(self, jobs: JobStore, files: OutputFiles, bell: Bell):
        self._jobs = jobs
        self._files = files
        self._bell = bell

    def get(self, person: Person, job_id: str) -> Job:
        """Raises NotFound for a stranger's job as for none."""
        return self._jobs.get(person, job_id)

    def preview(self, job: Job) -> Preview | None:
        """What a running job is going to show; None before its first step."""
        return self._files.preview(job.id, job.epoch) if job.state is JobState.RUNNING else None

    def story(self, person: Person, job_id: str) -> Sequence[JobEvent]:
        """What happened to a job, oldest first."""
        return self._jobs.story(person, job_id)

    def line(self, person: Person, limit: int = 50) -> Line:
        """What starts when, of everybody's jobs: for counting and adding up, not for showing."""
        ready, served = self._jobs.candidates(limit), self._jobs.served()
        return Line(
            running=self._jobs.running(),
            waiting=list(in_turn(ready, served)),
            before_new=before_new(ready, served, person.id),
        )

    def active(self, person: Person, limit: int = 50) -> Sequence[Job]:
        """What runs, then what waits, in order."""
        return self._jobs.queue(person, limit)

    def ended(
        self,
        person: Person,
        states: Collection[JobState] = FINAL_STATES,
        before: Job | None = None,
        limit: int = 20,
    ) -> Sequence[Job]:
        """The last to end first; ``before`` is the last one seen."""
        return self._jobs.ended(person, states, before, limit)

    def move(self, person: Person, job_id: str, before: str | None) -> None:
        """Put a waiting job before another one of the person's, or last."""
        self._jobs.move(person, job_id, before)

    def pause(self, person: Person, job_id: str, *, paused: bool) -> None:
        """Hold a waiting job back, or let it go on."""
        self._jobs.pause(person, job_id, paused=paused)
        self._bell.ring()

    def pause_all(self, person: Person, *, paused: bool) -> None:
        """Start none of the person's jobs, or start them again; what runs goes on."""
        self._jobs.pause_queue(person, paused=paused)
        self._bell.ring()

    def is_paused(self, person: Person) -> bool:
        """Whether the person's whole queue is paused."""
        return self._jobs.is_queue_paused(person)

    def cancel(self, person: Person, job_id: str) -> Job:
        """Ask for the end of a waiting or running job and wake the dispatcher."""
        job = self._jobs.request_cancel(person, job_id)
        self._bell.ring()
        return job

    def remove(self, person: Person, job_id: str) -> None:
        """Take an ended job off the list; its video stays."""
        self._jobs.remove(person, job_id)

    def free_card(self, person: Person) -> None:
        """Ask for the end of a warm engine; a running job is left alone."""
        del person  # with one person there is nobody to ask for permission
        self._jobs.wish_free_card()
        self._bell.ring()
