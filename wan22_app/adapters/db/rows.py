"""Between rows and domain values."""

import json
from typing import Any

from wan22_app.adapters.db.tables import JobEventRow, JobRow, OutputRow
from wan22_app.domain.errors import Problem
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import HoldReason, Job, JobEvent, JobState, Progress
from wan22_app.domain.memory import MemoryPlan
from wan22_app.domain.output import Output


def job_of(row: JobRow) -> Job:
    """The domain value of a row."""
    return Job(
        id=row.id,
        number=row.number,
        owner=row.owner,
        request=GenerationRequest.model_validate_json(row.request),
        state=JobState(row.state),
        hold=HoldReason(row.hold),
        cancel_requested=row.cancel_requested,
        attempts=row.attempts,
        epoch=row.epoch,
        revision=row.revision,
        parent_id=row.parent_id,
        plan=MemoryPlan.model_validate_json(row.plan) if row.plan else None,
        progress=Progress.model_validate_json(row.progress) if row.progress else None,
        problem=Problem.model_validate_json(row.problem) if row.problem else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
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
    values = row.model_dump() | {
        "request": GenerationRequest.model_validate_json(row.request),
        "seconds": json.loads(row.seconds),
    }
    return Output.model_validate(values)


def row_of(output: Output) -> OutputRow:
    """The row of a published video."""
    values: dict[str, Any] = dict(output) | {
        "request": output.request.model_dump_json(),
        "seconds": json.dumps(output.seconds),
    }
    return OutputRow(**values)
