"""What a person's pages show, built from the database: once for each change, not for each tab."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wan22_app.adapters.locks import draining
from wan22_app.bootstrap import Services
from wan22_app.domain.account import Person
from wan22_app.domain.figures import STALE_AFTER
from wan22_app.domain.job import HoldReason, Job, JobState
from wan22_app.domain.output import Output
from wan22_app.web import words
from wan22_app.web.model_cards import ModelCard, model_cards
from wan22_app.web.plots import (
    FiguresView,
    Row,
    Span,
    WarningView,
    figures_view,
    rows,
    spans,
    warning_views,
)
from wan22_app.web.urls import preview_url
from wan22_app.web.verdict import button_text, start_text
from wan22_app.web.views import (
    DraftView,
    JobView,
    MachineView,
    OutputView,
    ProgressView,
    draft_view,
    job_view,
    output_view,
    progress_view,
    starts_text,
)

ACTIVE = 50
RESULTS = 12
SPANS = 40
"""Ended jobs looked at for the shaded spans of the plots."""


@dataclass(frozen=True)
class Snapshot:
    """Everything live that one person sees."""

    focus: JobView
    running: list[JobView]
    waiting: list[JobView]
    drafts: list[DraftView]
    results: list[OutputView]
    progress: ProgressView
    start: str
    button: str
    queue_paused: bool
    blocked: list[WarningView]
    models: list[ModelCard]


def take(app: Services, person: Person) -> Snapshot:
    """Read the person's jobs and newest outputs."""
    active = app.queue.active(person, limit=ACTIVE)
    last = app.queue.ended(person, limit=1)
    kept = app.gallery.existing(person, [job.id for job in last])
    line = app.queue.line(person, limit=ACTIVE)
    experience = app.forecast.experience(
        job.request.model for job in [*line.running, *line.waiting]
    )
    starts = app.forecast.starts(line.running, line.waiting, experience)
    running = [job for job in active if job.state is JobState.RUNNING]
    paused = app.queue.is_paused(person)
    waiting = waiting_views(active, line.ahead, starts, app.clock.now())
    ahead = len(line.running) + line.before_new
    if paused:
        waiting = [v if v.held else replace(v, state_text=words.HELD_BY_QUEUE) for v in waiting]
    views = [job_view(job) for job in running]
    drafts = app.drafts.undecided(person)
    shown = {*kept, *(draft.job.id for draft in drafts)}
    # A finished job whose video was deleted, or a draft that is decided, has nothing left to show.
    newest = [
        job_view(job, chances=app.retrying.chances(job))
        for job in last
        if job.state is not JobState.SUCCEEDED or job.id in shown
    ]
    return Snapshot(
        focus=focus_of(views, waiting, newest),
        running=views,
        waiting=waiting,
        drafts=[draft_view(draft) for draft in drafts],
        results=[output_view(output) for output in app.gallery.page(person, limit=RESULTS)],
        progress=progress(app, running[0], experience) if running else ProgressView(),
        start=words.STARTS_RESUMED if paused else start_text(ahead),
        button=button_text(ahead),
        queue_paused=paused,
        blocked=blocked(active),
        models=model_cards(app.weights.shelves(person), app.clock.now()),
    )


def focus_of(
    running: Sequence[JobView], waiting: Sequence[JobView], newest: Sequence[JobView]
) -> JobView:
    """The job on the stage: one that a person has paused must not hide a finished video."""
    soon = [job for job in waiting if not job.paused]
    return next(iter([*running, *soon, *newest, *waiting]), JobView())


def waiting_views(
    active: Sequence[Job],
    ahead: Mapping[str, int],
    starts: Mapping[str, datetime],
    now: datetime,
) -> list[JobView]:
    """The waiting jobs in order, each with what stands before it and when it will start."""
    queued = [job for job in active if job.state is JobState.QUEUED]
    return [
        replace(
            job_view(job, ahead=ahead.get(job.id, 0)),
            starts=starts_text(starts.get(job.id), now),
            paused=job.hold is HoldReason.PAUSED,
            held=job.hold is not HoldReason.NONE,
            first=index == 0,
            last=index == len(queued) - 1,
        )
        for index, job in enumerate(queued)
    ]


def progress(app: Services, job: Job, experience: Sequence[Output]) -> ProgressView:
    """The hot part of a running job, with the time left that this machine's past suggests."""
    started = job.started_at or app.clock.now()
    elapsed = max(timedelta(), app.clock.now() - started).total_seconds()
    view = progress_view(job, elapsed, app.forecast.left(job, experience))
    preview = app.queue.preview(job)
    return replace(view, preview_url=preview_url(job.id, preview.version)) if preview else view


def machine(app: Services) -> MachineView:
    """The card in one line."""
    device, host = app.probe.device(), app.probe.host()
    if device.kind == "cpu":
        used, total = host.total_bytes - host.available_bytes, host.total_bytes
    else:
        used, total = device.total_bytes - device.free_bytes, device.total_bytes
    return MachineView(name=device.name, memory=f"{used / 1e9:.1f} of {total / 1e9:.0f} GB")


DRAINING = WarningView("draining", words.DRAINING, words.DRAINING_CURE)
NO_SPACE = WarningView("no_space", words.NO_SPACE, words.NO_SPACE_CURE)


def blocked(active: Sequence[Job]) -> list[WarningView]:
    """What keeps the whole queue waiting; more than a remark on each job, as it is nobody's job."""
    return [NO_SPACE] if any(job.hold is HoldReason.SPACE for job in active) else []


@dataclass(frozen=True)
class Plots:
    """The machine's figures, the same for everybody."""

    figures: FiguresView
    series: list[Row]
    spans: list[Span]
    warnings: list[WarningView]


def plots(app: Services, person: Person) -> Plots:
    """The newest sample and the last hour; the shaded spans are the person's own jobs."""
    now, samples = app.clock.now(), app.monitoring.hour()
    latest = samples[-1] if samples else None
    patience = timedelta(seconds=STALE_AFTER * app.settings.refresh_seconds)
    drained = [DRAINING] if draining(app.settings.locks) else []
    jobs = [*app.queue.active(person, limit=1), *app.queue.ended(person, limit=SPANS)]
    return Plots(
        figures=figures_view(latest, old=latest is not None and now - latest.at > patience),
        series=rows(samples, now),
        spans=spans(jobs, now),
        warnings=[*drained, *warning_views(latest)],
    )
