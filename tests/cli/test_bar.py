"""What the progress line says."""

import io
from datetime import UTC, datetime

import pytest

from wan22_app.cli.bar import Bar, describe
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import HoldReason, Job, JobState, Progress


@pytest.fixture
def job() -> Job:
    request = GenerationRequest.build(DEMO_T2V, {"prompt": "a red ball"}, 1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Job(
        id="a",
        number=1,
        place=1,
        owner="local",
        request=request,
        state=JobState.QUEUED,
        created_at=now,
    )


def test_a_running_job_shows_stage_bar_count_and_expert(job: Job) -> None:
    progress = Progress(stage=Stage.DENOISING, done=4, total=8, expert="high", seconds=1.0)
    line = describe(job.model_copy(update={"progress": progress}))
    assert line == f"denoising [{'=' * 12}{'-' * 12}] 4/8 high-noise"


def test_a_waiting_job_says_why(job: Job) -> None:
    assert describe(job) == "waiting"
    assert describe(job.model_copy(update={"hold": HoldReason.SPACE})) == "waits for disk space"


def test_a_stage_without_a_known_length_does_not_divide_by_zero(job: Job) -> None:
    progress = Progress(stage=Stage.LOADING)
    assert "0/0" in describe(job.model_copy(update={"progress": progress}))


def test_nothing_is_drawn_where_nobody_looks(job: Job) -> None:
    stream = io.StringIO()
    bar = Bar(stream)
    bar.show(job)
    bar.close()
    assert stream.getvalue() == ""
