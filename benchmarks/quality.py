"""``python -m benchmarks.quality``: how near each lossy speed comes to Exact, and how much faster.

The same prompts and seeds are made at every speed by one engine in one run; PSNR and SSIM are the
means over all pictures of a video, told for each video and for the worst one. ``--model`` names an
entry whose weights are here, ``--keep`` lets the form know: what is below its gate is not offered
on this card any more. Exit code 1 where a speed is below its gate. LPIPS needs weights of its own
that are not among the dependencies, so it is not measured. Writes
``benchmarks/results/quality-<model>.json``.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.report import publish
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.adapters.videos import pictures
from wan22_app.bootstrap import prepare, services
from wan22_app.domain.attention import eight_bit
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.events import Done, Event
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.speed import GATES, Measured, Speed, fields_of, offered
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, use_threads
from wan22_app.engine.quantized import Copies
from wan22_app.engine.source import Disk
from wan22_app.settings import Settings

PROMPTS = {
    True: ("a red circle moving left", "a blue square moving right on a grey background",
           "a yellow triangle growing", "a green star circling"),
    False: ("a red fox trots through fresh snow between birches, morning light",
            "a street musician plays the violin in the rain, the camera circles around her"),
}  # fmt: skip
"""For demo models, and for real ones."""
IDENTICAL_DB = 100.0
"""What stands for equal pictures, whose PSNR is infinite."""
Pictures = np.ndarray[Any, np.dtype[np.uint8]]
"""All frames ``[F, H, W, 3]``."""


class Bench:
    """One engine and one model."""

    def __init__(self, entry: ModelEntry, folder: Path, steps: int | None):
        settings = Settings()
        self.entry, self._folder, self._steps = entry, folder, steps
        self._engine = Engine(folder / "embeddings", source=Disk(Copies(settings.quantized)))
        probe = NvmlProbe(settings.outputs, settings.attention)
        self.device, self._host = probe.device(), probe.host()

    def films(self, speed: Speed) -> tuple[list[Pictures], float]:
        """A video for each prompt, and the seconds of denoising of all but the first."""
        made, spent = list[Pictures](), list[float]()
        for seed, prompt in enumerate(PROMPTS[self.entry.spec.demo]):
            done = self._run(speed, prompt, seed)
            made.append(np.stack(list(pictures(Path(done.video)))))
            spent.append(done.seconds["denoising"])
        return made, sum(spent[1:] or spent)

    def _run(self, speed: Speed, prompt: str, seed: int) -> Done:
        spec = self.entry.spec
        fields: dict[str, object] = {
            **fields_of(spec, speed, eight_bit(self.device)),
            "prompt": prompt,
            "seed": seed,
        }
        if self._steps:
            fields["steps"] = self._steps
        request = GenerationRequest.build(spec, fields, seed)
        plan = plan_memory(spec, request, self.device, self._host)
        if not isinstance(plan, MemoryPlan):
            sys.exit(f"{spec.name} does not fit at {speed}: {plan.cure}")
        staging = self._folder / f"{speed}-{seed}"
        staging.mkdir()
        events: list[Event] = []
        work = Work(
            job_id=f"{seed:032x}", epoch=1, request=request, plan=plan, entry=self.entry,
            staging=str(staging), latents=str(staging / "latents.safetensors"), app_version="",
        )  # fmt: skip
        self._engine.run(work, events.append, threading.Event())
        if not isinstance(events[-1], Done):
            sys.exit(f"{speed}: {events[-1]}")
        return events[-1]


def likeness(made: Pictures, exact: Pictures) -> tuple[float, float]:
    """PSNR in dB over the whole video, and the mean SSIM of its pictures."""
    if np.array_equal(made, exact):
        return IDENTICAL_DB, 1.0
    pairs = zip(exact, made, strict=True)
    ssim = [float(structural_similarity(a, b, channel_axis=2)) for a, b in pairs]
    return float(peak_signal_noise_ratio(exact, made)), statistics.fmean(ssim)


def measure(bench: Bench) -> dict[str, dict[str, Any]]:
    """A row for each lossy speed that this machine can compute."""
    exact, exact_seconds = bench.films("exact")
    rows = dict[str, dict[str, Any]]()
    for speed in (each for each in offered(bench.entry.spec, bench.device, {}) if each in GATES):
        made, spent = bench.films(speed)
        found = [likeness(*pair) for pair in zip(made, exact, strict=True)]
        psnr, ssim = [one for one, _ in found], [one for _, one in found]
        rows[speed] = {
            "psnr_db": [round(one, 1) for one in psnr],
            "psnr_db_mean": round(statistics.fmean(psnr), 1),
            "psnr_db_worst": round(min(psnr), 1),
            "ssim_mean": round(statistics.fmean(ssim), 4),
            "gate_db": GATES[speed],
            "passes": statistics.fmean(psnr) >= GATES[speed],
            "denoising_times_exact": round(spent / exact_seconds, 2),
        }
    return rows


def for_the_form(rows: Mapping[str, Mapping[str, Any]]) -> Measured:
    """What decides whether a speed is offered."""
    return {speed: float(rows[speed]["psnr_db_mean"]) for speed in GATES if speed in rows}


def main() -> int:
    """Measure, report, and keep it where asked."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality")
    parser.add_argument("--model", default="demo-t2v")
    parser.add_argument("--steps", type=int, help="in place of the model's own")
    parser.add_argument("--keep", action="store_true", help="let the form know")
    args = parser.parse_args()
    use_threads(psutil.cpu_count(logical=False) or 1)
    prepare(Settings())
    entry = services().library.entry(args.model)
    if not entry.ready:
        sys.exit(f"{entry.problem} {entry.cure}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(entry, Path(folder), args.steps)
        rows = measure(bench)
    if args.keep:
        services().quality.keep(bench.device, args.model, for_the_form(rows))
    publish(
        f"quality-{args.model}" + (f"-{args.steps}-steps" if args.steps else ""),
        {
            "device": bench.device.name, "model": args.model,
            "steps": args.steps or entry.spec.steps, "speeds": rows,
            "lpips": "not measured: needs weights of its own",
            "seconds": round(time.monotonic() - began),
        },
    )  # fmt: skip
    return 0 if all(row["passes"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
