"""``python -m benchmarks.warm``: how long a demo job takes once its model is loaded.

One job after the other for each demo model at its native size, submitted to an empty queue beside
a running dispatcher; the first of each, which loads the model, is left out. Run it on an otherwise
quiet machine. Writes ``benchmarks/results/warm.json``.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from benchmarks.busy import picture
from benchmarks.installation import PATIENCE_S, PROJECT, Installation, fresh
from benchmarks.report import publish
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_SPECS, ImageUse, ModelSpec
from wan22_app.domain.generation import ImageRef

TARGET_S = 5.0
PROMPT = "a red circle moving left"
ROUND_S = 0.02


def main() -> int:
    """Measure and report; exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5)
    parser.add_argument("--models", type=Path, default=PROJECT / "models")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), args.models, args.jobs)
    publish("warm", report)
    return 0 if all(row["of_target"] < 1 for row in report.values()) else 1


def run(base: Path, models: Path, jobs: int) -> dict[str, dict[str, float]]:
    """Every demo model's median times, in seconds, in a folder of its own."""
    app = fresh(base, models)
    image = app.images.accept(picture())
    with Installation(app.settings, "wan22_app.dispatcher"):
        numbers = count()
        return {spec.key: warm(app, spec, image, jobs, numbers) for spec in DEMO_SPECS}


def warm(
    app: Services, spec: ModelSpec, image: ImageRef, jobs: int, numbers: Iterator[int]
) -> dict[str, float]:
    """Medians over ``jobs`` after the first: of the whole, from the submission on, and of parts."""
    spent = [one(app, spec, number, image) for number in islice(numbers, jobs + 1)][1:]
    outputs = app.outputs.page(LOCAL_PERSON, limit=jobs)
    parts = {
        part: statistics.median(output.seconds.get(part, 0.0) for output in outputs)
        for part in outputs[0].seconds
    }
    whole = statistics.median(spent)
    found = {"seconds": whole, **parts, "of_target": whole / TARGET_S}
    return {name: round(value, 2) for name, value in found.items()}


def one(app: Services, spec: ModelSpec, number: int, image: ImageRef) -> float:
    """Seconds from a job's submission, as the page submits it, to its end."""
    given = {"image": image} if spec.image is ImageUse.REQUIRED else {}
    fields = {"model": spec.key, "prompt": PROMPT, "seed": number, **given}
    begin = time.perf_counter()
    app.submission.submit(LOCAL_PERSON, fields, f"job {number}")
    while app.jobs.queue(LOCAL_PERSON, limit=1):
        if time.perf_counter() - begin > PATIENCE_S:
            raise RuntimeError(f"a job of {spec.key} does not end")
        time.sleep(ROUND_S)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
