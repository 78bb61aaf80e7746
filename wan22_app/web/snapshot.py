"""What a person's pages show, built from the database: once for each change, not for each tab."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wan22_app.bootstrap import Services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.domain.estimate import estimate_seconds
from wan22_app.domain.job import FINAL_STATES, Job, JobState
from wan22_app.domain.output import Output
from wan22_app.web.verdict import button_text, start_text
from wan22_app.web.views import (
    JobView,
    MachineView,
    OutputView,
    ProgressView,
    job_view,
    output_view,
    progress_view,
)

ACTIVE = 50
ENDED = 20
RESULTS = 12


@dataclass(frozen=True)
class Snapshot:
    """Everything live that one person sees."""

    focus: JobView
    running: list[JobView]
    waiting: list[JobView]
    recent: list[JobView]
    results: list[OutputView]
    progress: ProgressView
    start: str
    button: str


def take(app: Services, person: Person) -> Snapshot:
    """Read the person's jobs and newest outputs."""
    active = app.queue.page(person, {JobState.QUEUED, JobState.RUNNING}, limit=ACTIVE)
    ended = app.queue.page(person, FINAL_STATES, limit=ENDED)
    outputs = app.gallery.page(person, limit=RESULTS)
    running = [job for job in active if job.state is JobState.RUNNING]
    queued = [job for job in reversed(active) if job.state is JobState.QUEUED]
    busy = len(running)
    waiting = [job_view(job, ahead=index + busy) for index, job in enumerate(queued)]
    recent = [job_view(job) for job in sorted(ended, key=_ended_at, reverse=True)]
    views = [job_view(job) for job in running]
    return Snapshot(
        focus=next(iter([*views, *waiting, *recent]), JobView()),
        running=views,
        waiting=waiting,
        recent=recent,
        results=[output_view(output) for output in outputs],
        progress=progress(app, running[0], outputs) if running else ProgressView(),
        start=start_text(len(active)),
        button=button_text(len(active)),
    )


def progress(app: Services, job: Job, history: Sequence[Output]) -> ProgressView:
    """The hot part of a running job, with the time left that this machine's past suggests."""
    started = job.started_at or app.clock.now()
    elapsed = max(timedelta(), app.clock.now() - started).total_seconds()
    try:
        spec = app.library.entry(job.request.model).spec
    except UserError:
        return progress_view(job, elapsed, None)
    return progress_view(job, elapsed, estimate_seconds(spec, job.request, history))


def machine(app: Services) -> MachineView:
    """The card in one line."""
    device, host = app.probe.device(), app.probe.host()
    if device.kind == "cpu":
        used, total = host.total_bytes - host.available_bytes, host.total_bytes
    else:
        used, total = device.total_bytes - device.free_bytes, device.total_bytes
    return MachineView(name=device.name, memory=f"{used / 1e9:.1f} of {total / 1e9:.0f} GB")


def _ended_at(job: Job) -> float:
    return job.finished_at.timestamp() if job.finished_at else 0.0
