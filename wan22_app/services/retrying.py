"""Another try of what has ended: as it was, with less, or the decoding alone."""

from dataclasses import dataclass

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.errors import Conflict, Problem, UserError
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.lighter import lighter, sentence
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import TILED, Extent, Relief, next_rung
from wan22_app.domain.values import Value
from wan22_app.ports import JobStore, LatentFiles, Library, NewJob
from wan22_app.services.again import again_key
from wan22_app.services.planning import Planning
from wan22_app.services.submission import Submission

TOO_LARGE = ("wont_fit_vram", "wont_fit_ram")
RAN_OUT = ("out_of_vram", "out_of_ram", "engine_starved")
LEAST_TILE = 128
"""Pixels; the smallest that the plan's own words suggest."""
AGAIN = "Queued for another try."
AGAIN_LIGHTER = "Queued for another try with {change}."
DECODE_AGAIN = "Queued to decode again what an earlier job had denoised."


class Chances(Value):
    """What more can be done with a job that has ended without a video, beside the same again.

    ``lighter`` is the change that its failure suggests; ``decode`` says that its denoised latents
    are still there.
    """

    lighter: GenerationRequest | None = None
    decode: bool = False


@dataclass(frozen=True)
class Retrying:
    """Final is final: each try is a new job with the old one as its parent.

    While it has not ended, the same wish is the same job.
    """

    jobs: JobStore
    latents: LatentFiles
    library: Library
    planning: Planning
    submission: Submission

    def chances(self, job: Job) -> Chances:
        """Judge an ended job by its failure and by what is left of it."""
        if job.state not in (JobState.FAILED, JobState.QUARANTINED):
            return Chances()
        return Chances(lighter=self._lighter(job), decode=self.latents.finished(job.latents_id))

    def again(self, person: Person, job_id: str) -> Job:
        """Queue what was asked for once more. Raises Conflict while the job has not ended."""
        key = again_key(self.jobs, person, "again", job_id)
        old = self._ended(person, job_id)
        return self._queue(
            person, old, NewJob(request=old.wish, key=key, told=AGAIN, until=old.until)
        )

    def again_lighter(self, person: Person, job_id: str) -> Job:
        """The same with the suggested change. Raises Conflict when none is suggested any more."""
        key = again_key(self.jobs, person, "lighter", job_id)
        old = self._ended(person, job_id)
        request = self.chances(old).lighter
        if request is None:
            raise Conflict(_no_change())
        told = AGAIN_LIGHTER.format(change=sentence(old.request, request))
        return self._queue(
            person, old, NewJob(request=request, key=key, told=told, until=old.until)
        )

    def decode_again(self, person: Person, job_id: str) -> Job:
        """Queue the decoding alone, in smaller tiles where memory ran out.

        Raises Conflict when the latents are gone.
        """
        key = again_key(self.jobs, person, "decode", job_id)
        old = self._ended(person, job_id)
        if not self.chances(old).decode:
            raise Conflict(_latents_gone())
        new = NewJob(
            request=old.request,
            asked=old.asked,
            key=key,
            told=DECODE_AGAIN,
            latents_of=old.latents_id,
            relief=self._smaller_tiles(old),
        )
        return self._queue(person, old, new)

    def _ended(self, person: Person, job_id: str) -> Job:
        job = self.jobs.get(person, job_id)
        if not job.state.final:
            raise Conflict(_not_final())
        return job

    def _queue(self, person: Person, old: Job, new: NewJob) -> Job:
        return self.submission.enqueue(person, new.model_copy(update={"parent_id": old.id}))

    def _lighter(self, job: Job) -> GenerationRequest | None:
        code = job.problem.code if job.problem else ""
        if code not in (*RAN_OUT, *TOO_LARGE):
            return None
        try:
            spec = self.library.entry(job.request.model).spec
        except UserError:
            return None
        if code in RAN_OUT:
            # What costs nothing has been tried by itself before a job fails so.
            decoding = job.progress is not None and job.progress.stage in TILED
            return lighter(spec, job.request, job.wish, decoding=decoding)
        return self._fitting(spec, job.request)

    def _fitting(self, spec: ModelSpec, asked: GenerationRequest) -> GenerationRequest | None:
        """The first change with which the plan fits this machine, beginning with what costs least.

        The person's own choices of placement and tiles come first: without them nothing is lost.
        """
        small = LEAST_TILE if asked.tile == "auto" else min(asked.tile, LEAST_TILE)
        request: GenerationRequest | None = asked.model_copy(
            update={"offload": "auto", "keep": "auto"}
        )
        while request is not None:
            for each in (request, request.model_copy(update={"tile": small})):
                if isinstance(self.planning.plan(spec, each), MemoryPlan):
                    return each
            request = lighter(spec, request, asked)
        return None

    def _smaller_tiles(self, job: Job) -> Relief:
        """What the old job needed, and one rung more where memory was its end."""
        if job.plan is None or job.problem is None or job.problem.code not in RAN_OUT:
            return job.relief
        made = Extent.of(self.library.entry(job.request.model).spec, job.request)
        host = job.problem.code != "out_of_vram"
        return next_rung(job.plan, Stage.DECODING, made, host=host) or job.relief


def _not_final() -> Problem:
    return Problem(
        code="not_final",
        what="This job has not ended yet.",
        cure="Cancel it first, or wait for it.",
    )


def _no_change() -> Problem:
    return Problem(
        code="no_change",
        what="There is no change to suggest for this job any more.",
        cure="Use its settings on the form, and choose a smaller size there.",
    )


def _latents_gone() -> Problem:
    return Problem(
        code="latents_gone",
        what="What this job had denoised is no longer here.",
        cause="It is kept for a week, and only while there is room.",
        cure="Try the whole job again.",
    )
