"""``python -m benchmarks.overhead``: our engine against a plain diffusers script.

Both make the same video (demo T2V, same seed) in one process, A-B-B-A, and the final latents must
have equal hashes. Prints a table and writes ``benchmarks/results/overhead.json``.
"""

import argparse
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.report import publish
from benchmarks.stock import run_stock, stock_pipeline
from wan22_app.demo import SHIPPED
from wan22_app.domain.catalog import DEMO_T2V, ModelEntry, WeightsState
from wan22_app.domain.events import Done, Event
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, latents_sha256
from wan22_app.engine.source import from_disk

ROUNDS = 2


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), args)
    publish("overhead", report)
    return 0


def measure(folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """Times of both, interleaved, after one warm-up of each."""
    work = _work(folder, args)
    ours, stock = _ours(work), _stock(work)
    hashes = {ours(), stock()}
    times: dict[str, list[float]] = {"ours": [], "stock": []}
    for _ in range(ROUNDS):
        for name, run in (("ours", ours), ("stock", stock), ("stock", stock), ("ours", ours)):
            start = time.perf_counter()
            hashes.add(run())
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "seconds": {name: round(value, 3) for name, value in medians.items()},
        "ratio": round(medians["ours"] / medians["stock"], 4),
        "latents_equal": len(hashes) == 1,
        "video": f"{args.side}x{args.side}x{args.frames}, {args.steps} steps, demo-t2v, fp32",
        "machine": f"{platform.processor() or platform.machine()}, CPU, "
        f"{torch.get_num_threads()} threads",
        "versions": {name: version(name) for name in ("torch", "diffusers", "av")},
    }


def _work(folder: Path, args: argparse.Namespace) -> Work:
    request = GenerationRequest.build(
        DEMO_T2V,
        {"prompt": "a red ball", "width": args.side, "height": args.side, "frames": args.frames,
         "steps": args.steps, "seed": 7},
        seed=7,
    )  # fmt: skip
    plan = MemoryPlan(
        device="cpu", precision="fp32", offload="none", tile=None, peak_vram_bytes=0,
        peak_ram_bytes=0,
    )  # fmt: skip
    entry = ModelEntry(spec=DEMO_T2V, state=WeightsState.READY, folder=str(SHIPPED / "t2v"))
    return Work(
        job_id="0" * 32, epoch=1, request=request, plan=plan, entry=entry, staging=str(folder),
        latents=str(folder / "latents.safetensors"), app_version="benchmark",
    )  # fmt: skip


def _ours(work: Work) -> Callable[[], str]:
    embeddings = Path(work.latents).with_name("embeddings")
    engine = Engine(embeddings)

    def run() -> str:
        # A run that found its own latents would have nothing to do, nor read what it has read.
        Path(work.latents).unlink(missing_ok=True)
        shutil.rmtree(embeddings, ignore_errors=True)
        events: list[Event] = []
        engine.run(work, events.append, threading.Event())
        done = events[-1]
        assert isinstance(done, Done), done
        return done.latents_sha256

    return run


def _stock(work: Work) -> Callable[[], str]:
    pipeline = stock_pipeline(work, from_disk)
    return lambda: latents_sha256(run_stock(pipeline, work))


if __name__ == "__main__":
    sys.exit(main())
