"""Hundreds of jobs through the real web and the real dispatcher: nothing grows, nothing is left."""

from pathlib import Path

import pytest

from benchmarks.soak import run


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_hundreds_of_jobs_leave_nothing_behind(tmp_path: Path, demo_models: Path) -> None:
    report = run(tmp_path, demo_models, jobs=500)
    assert report["faults"] == [], report
    assert report["states"] == {"succeeded": 500}
