"""The lossy speeds are near enough to Exact, by the program that people run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["demo-i2v", pytest.param("demo-ti2v", marks=pytest.mark.long)])
def test_balanced_and_fast_pass_their_gates(tmp_path: Path, model: str) -> None:
    places = {
        f"WAN22_{name}": str(tmp_path / name.lower()) for name in ("DATA", "OUTPUTS", "LORAS")
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", "--model", model, "--steps", "6"],
        cwd=PROJECT, env={**os.environ, **places}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout[done.stdout.index("{\n") :])
    calibrated = found["calibration"]
    assert calibrated["psnr"]["balanced"] >= 26
    assert calibrated["psnr"]["fast"] >= 23
    tried = [name for name in found["speeds"] if name.startswith("fast")]
    assert tried[-1] == f"fast, step cache {calibrated['step_cache']}"
    near = [found["speeds"][name]["psnr_db_mean"] >= 26 for name in tried]
    assert near[:-1] == [False] * (len(near) - 1), "the greatest limit that is near enough"
    lossy = found["speeds"]["balanced, attention native"]
    assert lossy["psnr_db_worst"] < 100, "eight bits do round"
