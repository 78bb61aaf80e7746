"""``python -m benchmarks.calls``: each call of a job's life that changes the disk meets a fault.

The process is killed before the call, the call fails with EIO, with ENOSPC: one life for each, with
either journal of SQLite. Linux with a C compiler. Writes ``benchmarks/results/calls.json``.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.report import publish
from tests.faults.disk import missing, run

MODELS = Path(__file__).parents[1] / "models"


def main() -> int:
    """Live all lives and report; exit code 1 when any of them ended wrong."""
    if missing():
        sys.stderr.write(missing() + "\n")
        return 2
    reports = []
    for journal in ("delete", "wal"):
        with tempfile.TemporaryDirectory() as folder:
            reports.append(run("tests.faults.lives", folder, MODELS, journal, 1, 1))
    publish("calls", reports)
    return 1 if any(report["wrong"] for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
