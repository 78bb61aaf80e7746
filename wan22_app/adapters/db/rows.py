"""Between rows and domain values."""

import json
import unicodedata
from datetime import datetime
from typing import Any

from wan22_app.adapters.db.tables import JobEventRow, JobRow, OutputRow
from wan22_app.domain.errors import Problem
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import HoldReason, Job, JobEvent, JobState, Progress
from wan22_app.domain.output import Output
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import Relief
from wan22_app.ports import NewJob


def job_of(row: JobRow) -> Job:
    """The domain value of a row."""
    return Job(
        id=row.id,
        number=row.number,
        place=row.place,
        owner=row.owner,
        request=GenerationRequest.model_validate_json(row.request),
        state=JobState(row.state),
        hold=HoldReason(row.hold),
        cancel_requested=row.cancel_requested,
        attempts=row.attempts,
        epoch=row.epoch,
        revision=row.revision,
        parent_id=row.parent_id,
        asked=GenerationRequest.model_validate_json(row.asked) if row.asked else None,
        latents_of=row.latents_of,
        until=row.until,
        plan=MemoryPlan.model_validate_json(row.plan) if row.plan else None,
        relief=Relief.model_validate_json(row.relief) if row.relief else Relief(),
        progress=Progress.model_validate_json(row.progress) if row.progress else None,
        problem=Problem.model_validate_json(row.problem) if row.problem else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def new_row(new: NewJob, owner: str, job_id: str, number: int, now: datetime) -> JobRow:
    """The row of a job that waits behind all others."""
    return JobRow(
        id=job_id,
        number=number,
        place=number,
        owner=owner,
        key=new.key,
        request=new.request.model_dump_json(),
        state=str(JobState.QUEUED),
        parent_id=new.parent_id,
        asked=new.asked.model_dump_json() if new.asked else None,
        latents_of=new.latents_of,
        until=new.until,
        relief=new.relief.model_dump_json(),
        created_at=now,
    )


def event_of(row: JobEventRow) -> JobEvent:
    """The domain value of a line of a story."""
    return JobEvent(
        id=row.id or 0,
        job_id=row.job_id,
        at=row.at,
        kind=row.kind,
        text=row.text,
        problem=Problem.model_validate_json(row.problem) if row.problem else None,
    )


def output_of(row: OutputRow) -> Output:
    """The domain value of a published video."""
    values = row.model_dump(exclude={"model", "search"}) | {
        "request": GenerationRequest.model_validate_json(row.request),
        "seconds": json.loads(row.seconds),
        "asked": GenerationRequest.model_validate_json(row.asked) if row.asked else None,
    }
    return Output.model_validate(values)


def row_of(output: Output) -> OutputRow:
    """The row of a published video."""
    values: dict[str, Any] = dict(output) | {
        "request": output.request.model_dump_json(),
        "seconds": json.dumps(output.seconds),
        "asked": output.asked.model_dump_json() if output.asked else None,
        "model": output.request.model,
        "search": folded(output.request.prompt),
    }
    return OutputRow(**values)


def folded(text: str) -> str:
    """A text as it is searched: compatible characters made one, case folded."""
    return unicodedata.normalize("NFKC", text).casefold()
