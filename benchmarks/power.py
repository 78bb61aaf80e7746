"""``python -m benchmarks.power``: simulated power cuts, and what is left afterwards.

Real processes submit and work; at a moment anywhere in between, what was not synced is dropped,
and the queue goes on with what is left. Half of the cuts with either journal of SQLite. Linux with
a C compiler. Writes ``benchmarks/results/power.json``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.report import publish
from tests.faults.disk import missing, run

MODELS = Path(__file__).parents[1] / "models"
JOURNALS = ("delete", "wal")


def main() -> int:
    """Cut, count, report; exit code 1 when anything was lost, doubled or broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if missing():
        parser.error(missing())
    reports = []
    for journal in JOURNALS:
        with tempfile.TemporaryDirectory() as folder:
            cuts = args.cuts // len(JOURNALS)
            reports.append(run("tests.faults.power", folder, MODELS, journal, cuts, args.seed))
    publish("power", reports)
    return 1 if any(report["wrong"] for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
