"""Killed at a disk operation: no false backup, nothing lost by a restore, the next one works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform == "win32", reason="children are made by fork")
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_killed_at_every_disk_operation(tmp_path: Path, config: Path, what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.backup.crash", what, str(tmp_path), "1"],
        env={**os.environ, "WAN22_CONFIG": str(config)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    died = re.search(r"died (\d+) times", done.stdout)
    assert died, done.stderr[-3000:]
    assert int(died[1]) >= 100
