"""``python -m benchmarks.busy``: how much of a full queue's time the engine works.

Twenty jobs of the three demo models, mixed, wait behind one that starts the engine. The engine's
own stage times of the twenty together (loading and saving included) are compared with the time from
the first start to the last end. Writes ``benchmarks/results/busy.json``.
"""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.installation import PATIENCE_S, PROJECT, Installation, fresh
from benchmarks.report import publish
from tests.values import a_request
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_I2V, DEMO_SPECS, ModelSpec
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.job import JobState
from wan22_app.ports import NewJob

TARGET = 0.95
ROUND_S = 0.05


def main() -> int:
    """Measure and report; exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--models", type=Path, default=PROJECT / "models")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(Path(folder), args.models, args.jobs)
    publish("busy", report)
    return 0 if report["busy"] >= TARGET else 1


def run(base: Path, models: Path, jobs: int) -> dict[str, float]:
    """The whole queue in a folder of its own."""
    app = fresh(base, models)
    image = app.images.accept(picture())
    for number in range(jobs + 1):
        submit(app, DEMO_SPECS[number % len(DEMO_SPECS)], number, image)
    with Installation(app.settings, "wan22_app.dispatcher"):
        deadline = time.monotonic() + PATIENCE_S
        while app.jobs.queue(LOCAL_PERSON, limit=1) and time.monotonic() < deadline:
            time.sleep(ROUND_S)
    return figures(app, jobs)


def submit(app: Services, spec: ModelSpec, number: int, image: ImageRef) -> None:
    """One job at the model's defaults."""
    size = {"width": spec.size.width, "height": spec.size.height, "frames": spec.frames}
    given = {"image": image} if spec.task is DEMO_I2V.task else {}
    request = a_request(spec, steps=spec.steps, seed=number, **size, **given)
    app.jobs.add(LOCAL_PERSON, NewJob(request=request, key=f"job {number}"), number + 1)


def figures(app: Services, jobs: int) -> dict[str, float]:
    """Seconds that the engine worked, and those from the first start to the last end."""
    rows = sorted(app.jobs.changed(0), key=lambda row: row.number)[1:]
    ended = [row for row in rows if row.state is JobState.SUCCEEDED]
    assert len(ended) == jobs, f"{len(ended)} of {jobs} jobs succeeded"
    starts = [row.started_at for row in rows if row.started_at]
    ends = [row.finished_at for row in rows if row.finished_at]
    outputs = app.outputs.page(LOCAL_PERSON, limit=jobs)  # the newest: without the first job's
    worked = sum(sum(output.seconds.values()) for output in outputs)
    span = (max(ends) - min(starts)).total_seconds()
    return {
        "jobs": jobs,
        "seconds": round(span, 2),
        "engine_seconds": round(worked, 2),
        "busy": round(worked / span, 4),
    }


def picture() -> bytes:
    """A start image."""
    png = io.BytesIO()
    Image.new("RGB", (128, 128), "navy").save(png, "PNG")
    return png.getvalue()


if __name__ == "__main__":
    sys.exit(main())
