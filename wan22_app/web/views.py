"""What the browser sees of jobs and outputs: texts ready to show, never a domain value."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from wan22_app.domain import lighter
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import HoldReason, Job, JobState
from wan22_app.domain.output import Output
from wan22_app.services.drafts import Draft
from wan22_app.services.retrying import Chances
from wan22_app.web import words
from wan22_app.web.urls import media_url, preview_url

SHARE = {
    Stage.LOADING: (0, 8),
    Stage.TEXT: (8, 12),
    Stage.IMAGE: (12, 16),
    Stage.DENOISING: (16, 80),
    Stage.DECODING: (80, 95),
    Stage.ENCODING: (95, 100),
}
"""From and to which percent of the bar each stage goes."""


SOON = timedelta(minutes=1)
DRAFT = "draft"
"""What the page calls the state of a job that ended so."""
NO_CHANCES = Chances()


@dataclass(frozen=True)
class JobView:
    """A job without its progress, so that a step does not resend lists.

    ``change`` is what another try would be made with, empty where none is suggested; ``reduced``
    is what was made less than it was asked, with consent.
    """

    id: str = ""
    state: str = ""
    state_text: str = ""
    model: str = ""
    prompt: str = ""
    size: str = ""
    duration: str = ""
    seed: str = ""
    created: str = ""
    what: str = ""
    cause: str = ""
    cure: str = ""
    evidence: str = ""
    lineage: str = ""
    reduced: str = ""
    change: str = ""
    decodable: bool = False
    starts: str = ""
    paused: bool = False
    held: bool = False
    first: bool = False
    last: bool = False
    cancelling: bool = False
    active: bool = False
    has_image: bool = False
    keepable: bool = False
    video_url: str = ""
    poster_url: str = ""
    download_url: str = ""


@dataclass(frozen=True)
class DraftView:
    """A draft to decide about, with the names of what can be done."""

    id: str = ""
    prompt: str = ""
    seed: str = ""
    preview_url: str = ""
    label: str = ""
    keep: str = ""
    discard: str = ""
    going_on: bool = False


@dataclass(frozen=True)
class OutputView:
    """A finished video."""

    id: str = ""
    prompt: str = ""
    model: str = ""
    size: str = ""
    duration: str = ""
    seed: str = ""
    took: str = ""
    created: str = ""
    video_url: str = ""
    poster_url: str = ""
    download_url: str = ""
    label: str = ""


@dataclass(frozen=True)
class ProgressView:
    """The hot part of a running job; times in whole seconds, so that nothing changes idly."""

    job_id: str = ""
    stage: str = ""
    stage_text: str = ""
    count: str = ""
    expert: str = ""
    percent: int = 0
    elapsed: str = ""
    left: str = ""
    preview_url: str = ""


@dataclass(frozen=True)
class MachineView:
    """The card in one line."""

    name: str = ""
    memory: str = ""


def clock(seconds: float) -> str:
    """``1:42``; hours only where there are some."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def about(seconds: float) -> str:
    """A duration as a person would say it."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def model_name(key: str) -> str:
    """Short name of a model for captions."""
    return words.MODEL_NAMES.get(key, key)


def length_text(frames: int, fps: int) -> str:
    """Playing time for captions."""
    return f"{frames / fps:.1f} s"


def when(moment: datetime) -> str:
    """Local time of day and date, short."""
    return moment.astimezone().strftime("%d %b, %H:%M")


def clock_time(moment: datetime) -> str:
    """Local time of day to the second, for the lines of a story."""
    return moment.astimezone().strftime("%H:%M:%S")


def job_view(
    job: Job, ahead: int = 0, chances: Chances = NO_CHANCES, *, keepable: bool = False
) -> JobView:
    """A job as its owner sees it; ``ahead`` counts the jobs before a waiting one, ``keepable`` is a
    draft that can be gone on with."""
    request, problem = job.request, job.problem
    done = job.state is JobState.SUCCEEDED and not job.until
    return JobView(
        id=job.id,
        state=DRAFT if is_draft(job) else str(job.state),
        state_text=state_text(job, ahead),
        model=model_name(request.model),
        prompt=request.prompt,
        size=f"{request.width}×{request.height}",
        duration=length_text(request.frames, request.fps),
        seed=str(request.seed),
        created=when(job.created_at),
        what=problem.what if problem else "",
        cause=problem.cause if problem else "",
        cure=problem.cure if problem else "",
        evidence=problem.evidence if problem else "",
        lineage=lineage(job),
        reduced=reduced(job.asked, request),
        change=lighter.gist(request, chances.lighter) if chances.lighter else "",
        decodable=chances.decode,
        cancelling=job.cancel_requested,
        active=not job.state.final,
        has_image=request.begins_with_pictures,
        keepable=keepable,
        video_url=media_url(job.id, "video") if done else "",
        poster_url=media_url(job.id, "poster") if done else "",
        download_url=media_url(job.id, "video", download=True) if done else "",
    )


def lineage(job: Job) -> str:
    """The job's own name, and whose other try it is."""
    if job.parent_id is None:
        return words.JOB.format(id=short(job.id))
    return words.JOB_OF.format(id=short(job.id), parent=short(job.parent_id))


def short(job_id: str) -> str:
    """As much of an id as tells a person's jobs apart."""
    return job_id[:8]


def reduced(asked: GenerationRequest | None, made: GenerationRequest) -> str:
    """What was made less than it was asked, and why; empty where nothing was."""
    return words.REDUCED.format(change=lighter.sentence(asked, made)) if asked else ""


def starts_text(moment: datetime | None, now: datetime) -> str:
    """When a waiting job will start, as a person would say it; empty when nobody knows."""
    if moment is None:
        return ""
    if moment - now < SOON:
        return words.STARTS_SOON
    return words.STARTS_ABOUT.format(time=moment.astimezone().strftime("%H:%M"))


def state_text(job: Job, ahead: int) -> str:
    """The state in words: a waiting job says for what."""
    if job.state is JobState.QUEUED and job.hold is not HoldReason.NONE:
        return words.HOLDS[job.hold]
    if job.state is JobState.QUEUED:
        return words.NEXT if ahead == 0 else words.AHEAD.format(count=ahead)
    if job.state is JobState.RUNNING and job.cancel_requested:
        return words.CANCELLING
    return words.DRAFT if is_draft(job) else words.STATES[job.state]


def is_draft(job: Job) -> bool:
    """Whether it has ended as a draft, whatever has become of it."""
    return job.state is JobState.SUCCEEDED and job.until > 0


def draft_view(draft: Draft) -> DraftView:
    """A draft for the strip below the stage."""
    request = draft.job.request
    seed = str(request.seed)
    return DraftView(
        id=draft.job.id,
        prompt=request.prompt,
        seed=seed,
        preview_url=preview_url(draft.job.id, draft.preview.version),
        label=words.DRAFT_LABEL.format(seed=seed, prompt=request.prompt[:80]),
        keep=words.DRAFT_KEEP_NAMED.format(seed=seed),
        discard=words.DRAFT_DISCARD_NAMED.format(seed=seed),
        going_on=draft.going_on,
    )


def output_view(output: Output) -> OutputView:
    """A finished video for a poster grid and the player."""
    request = output.request
    return OutputView(
        id=output.id,
        prompt=request.prompt,
        model=model_name(request.model),
        size=f"{output.width}×{output.height}",
        duration=length_text(output.frames, output.fps),
        seed=str(request.seed),
        took=clock(sum(output.seconds.values())),
        created=when(output.created_at),
        video_url=media_url(output.id, "video"),
        poster_url=media_url(output.id, "poster"),
        download_url=media_url(output.id, "video", download=True),
        label=words.PLAY.format(prompt=request.prompt[:80]),
    )


def progress_view(job: Job, elapsed: float, left: float | None) -> ProgressView:
    """How far a running job is; ``left`` is what this machine's past suggests, in seconds."""
    progress = job.progress
    if progress is None:
        return ProgressView(
            job_id=job.id, stage_text=words.STARTING, elapsed=clock(elapsed), left=""
        )
    low, high = SHARE[progress.stage]
    share = progress.done / progress.total if progress.total else 0.0
    return ProgressView(
        job_id=job.id,
        stage=str(progress.stage),
        stage_text=words.STAGES[progress.stage],
        count=f"{progress.done}/{progress.total}" if progress.total > 1 else "",
        expert=words.EXPERTS[progress.expert],
        percent=round(low + (high - low) * share),
        elapsed=clock(elapsed),
        left=clock(left) if left is not None and left >= 1 else "",
    )
