"""Drafts: seen after a share of their steps, then gone on with or thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass

from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, Problem
from wan22_app.domain.job import Job, JobState
from wan22_app.ports import JobStore, LatentFiles, NewJob, Preview
from wan22_app.services.again import again_key
from wan22_app.services.submission import Submission

MOST_SHOWN = 64
GOES_ON = "Queued to go on with a draft after step {step} of {all}."


@dataclass(frozen=True)
class Draft:
    """A draft to decide about. ``going_on``: its video waits or is being made."""

    job: Job
    preview: Preview
    going_on: bool


@dataclass(frozen=True)
class Drafts:
    """What a draft has computed stays for a while; a new job goes on from there."""

    jobs: JobStore
    latents: LatentFiles
    submission: Submission

    def undecided(self, person: Person) -> Sequence[Draft]:
        """The drafts whose latents are still there, the newest first."""
        drafts = self.jobs.drafts(person, MOST_SHOWN)
        going_on = self.jobs.unfinished_latents() if drafts else ()
        seen = [(job, self.latents.preview(job.id)) for job in drafts]
        return [Draft(job, preview, job.id in going_on) for job, preview in seen if preview]

    def preview(self, job: Job) -> Preview | None:
        """What a draft shows; None where it is no draft any more."""
        return self.latents.preview(job.id) if job.until else None

    def go_on(self, person: Person, job_id: str) -> Job:
        """Queue the rest of a draft's steps.

        What it has computed may be gone by now: then the same video is made from the first step.
        Raises Conflict while that is under way, or where the job is no finished draft.
        """
        key = again_key(self.jobs, person, "go on", job_id)
        draft = self._finished(person, job_id)
        told = GOES_ON.format(step=draft.until, all=draft.request.steps)
        # Another length of chunks would round otherwise, and what was computed could not be used.
        chunk = draft.plan.chunk if draft.plan else draft.request.chunk
        new = NewJob(
            request=draft.request.model_copy(update={"chunk": chunk}),
            asked=draft.asked,
            key=key,
            told=told,
            latents_of=draft.id,
            parent_id=draft.id,
            relief=draft.relief,
        )  # fmt: skip
        return self.submission.enqueue(person, new)

    def discard(self, person: Person, job_id: str) -> None:
        """Take a draft off the list, with what it has computed. Raises Conflict as ``go_on``."""
        draft = self._finished(person, job_id)
        self.jobs.remove(person, draft.id)
        self.latents.forget(draft.id)

    def _finished(self, person: Person, job_id: str) -> Job:
        job = self.jobs.get(person, job_id)
        if not (job.until and job.state is JobState.SUCCEEDED):
            raise Conflict(Problem(code="no_draft", what="This is no finished draft."))
        if job.id in self.jobs.unfinished_latents():
            raise Conflict(
                Problem(
                    code="draft_goes_on",
                    what="The video of this draft is already on its way.",
                    cure="Wait for it, or cancel it in the queue.",
                )
            )
        return job
