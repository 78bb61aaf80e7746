"""Each call of a job's life that changes the disk: killed before it, and refused by the disk."""

from pathlib import Path

import pytest

from tests.faults.disk import missing, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(3600),
]


@pytest.mark.parametrize(
    ("kills", "errors"), [(15, 30), pytest.param(1, 2, marks=pytest.mark.long)]
)
def test_one_fault_of_the_disk_costs_no_job(
    tmp_path: Path, demo_models: Path, kills: int, errors: int
) -> None:
    report = run("tests.faults.lives", tmp_path, demo_models, "delete", kills, errors)
    assert report["wrong"] == []
    calls = sum(report["calls"].values())
    assert report["lives"]["kill"] >= calls // kills - report["not met"]
    assert (
        report["lives"]["EIO"] + report["lives"]["ENOSPC"]
        >= calls * 2 // errors - report["not met"]
    )
    # How often a running job is written down depends on the time; all else is always the same.
    assert report["not met"] < calls // 10
