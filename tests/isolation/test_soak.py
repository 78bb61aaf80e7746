"""Hundreds of jobs, one after another: nothing grows, nothing is left over."""

from pathlib import Path

import pytest

from benchmarks.soak import run


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)  # half a second a job where the machine is quiet
def test_five_hundred_jobs_leave_nothing_behind(tmp_path: Path, demo_models: Path) -> None:
    report = run(tmp_path, demo_models, 500)
    assert report["faults"] == []
    assert report["states"] == {"succeeded": 500}
