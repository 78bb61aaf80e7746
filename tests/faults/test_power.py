"""Power cuts: what was not synced may be gone, and still every confirmed job ends."""

from pathlib import Path

import pytest

from tests.faults.disk import missing, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(3600),
]


@pytest.mark.parametrize("cuts", [4, 25])
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_no_confirmed_job_is_lost(
    tmp_path: Path, demo_models: Path, journal: str, cuts: int
) -> None:
    report = run("tests.faults.power", tmp_path, demo_models, journal, cuts, 1)
    assert report["wrong"] == []
    assert report["states"]["succeeded"] > cuts
