"""Where a benchmark leaves its figures."""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def publish(name: str, figures: object) -> None:
    """Write them as ``benchmarks/results/<name>.json`` and print them."""
    text = json.dumps(figures, indent=1) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
