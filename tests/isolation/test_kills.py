"""Engine and dispatcher killed at random moments: nothing lost, nothing twice, nothing broken."""

from pathlib import Path

import pytest

from benchmarks.kills import run, sound


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("engine", "kills"),
    [
        ("scripted", 40),
        ("torch", 10),
        pytest.param("scripted", 160, marks=pytest.mark.long),
        pytest.param("torch", 40, marks=pytest.mark.long),
    ],
)
def test_killed_at_random_moments(
    tmp_path: Path, demo_models: Path, engine: str, kills: int
) -> None:
    report = run(tmp_path, demo_models, engine, kills, seed=7)
    assert sound(report), report
    assert sum(report["kills"].values()) == kills
    assert report["confirmed"] == sum(report["states"].values())
    assert report["states"].get("succeeded", 0) > 0
