"""``python -m benchmarks.quality``: how near each speed comes to Exact, and how much faster it is.

The same prompts and seeds are made at every speed by one engine in one run; PSNR and SSIM are the
means over all pictures of a video, told for each video and for the worst one. ``--model`` names an
entry whose weights are here, ``--keep`` lets the form know: what is below its gate is not offered
on this card any more. Exit code 1 where a speed is below its gate. Turbo is measured where the LoRA
folder holds the one distilled LoRA that fits, Exact with compiled regions where a card may compile,
LPIPS where it is installed (see ``benchmarks.perceptual``). Writes
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

from benchmarks.perceptual import Pictures, lpips
from benchmarks.report import publish
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.adapters.videos import pictures
from wan22_app.bootstrap import prepare, services
from wan22_app.domain import loras
from wan22_app.domain.attention import eight_bit
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.events import Done, Event
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.speed import GATES, Measured, fields_of, offered
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, use_threads
from wan22_app.engine.quantized import Copies
from wan22_app.engine.source import Disk
from wan22_app.services.fitting import distilled, fitting
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
COMPILED = "exact, compiled"


class Bench:
    """One engine and one model."""

    def __init__(self, entry: ModelEntry, folder: Path, steps: int | None):
        settings = Settings()
        self.entry, self._folder, self._steps = entry, folder, steps
        self._engine = Engine(folder / "embeddings", source=Disk(Copies(settings.quantized)))
        probe = NvmlProbe(settings.outputs, settings.trials)
        self.device, self._host = probe.device(), probe.host()
        self._library = services().library

    def ways(self) -> dict[str, dict[str, object]]:
        """The fields of each speed that this machine can compute, of Exact first."""
        spec, library = self.entry.spec, self._library
        found: dict[str, dict[str, object]] = {
            speed: dict(fields_of(spec, speed, eight_bit(self.device)))
            for speed in offered(spec, self.device, {})
        }
        name = distilled(library, self.entry, loras.offered(library.loras()))
        if name is None:
            del found["turbo"]
        else:
            found["turbo"]["loras"] = fitting(library, self.entry, name)
        if self.device.compilation:
            found[COMPILED] = {**found["exact"], "compilation": self.device.compilation[0]}
        return found

    def films(self, fields: Mapping[str, object]) -> tuple[list[Pictures], float]:
        """A video for each prompt, and the seconds of denoising of all but the first."""
        made, spent = list[Pictures](), list[float]()
        for seed, prompt in enumerate(PROMPTS[self.entry.spec.demo]):
            done = self._run({**fields, "prompt": prompt, "seed": seed})
            made.append(np.stack(list(pictures(Path(done.video)))))
            spent.append(done.seconds["denoising"])
        return made, sum(spent[1:] or spent)

    def _run(self, fields: dict[str, object]) -> Done:
        spec = self.entry.spec
        if self._steps and not fields.get("loras"):
            fields["steps"] = self._steps
        request = GenerationRequest.build(spec, fields, 0)
        plan = plan_memory(spec, request, self.device, self._host)
        if not isinstance(plan, MemoryPlan):
            sys.exit(f"{spec.name} does not fit with {fields}: {plan.cure}")
        staging = Path(tempfile.mkdtemp(dir=self._folder))
        paths = tuple(str(self._library.lora_path(ref)) for ref in request.loras)
        events: list[Event] = []
        work = Work(
            job_id=f"{request.seed:032x}", epoch=1, request=request, plan=plan, entry=self.entry,
            staging=str(staging), latents=str(staging / "latents.safetensors"), loras=paths,
            app_version="",
        )  # fmt: skip
        self._engine.run(work, events.append, threading.Event())
        if not isinstance(events[-1], Done):
            sys.exit(f"{fields}: {events[-1]}")
        return events[-1]


def likeness(made: Pictures, exact: Pictures) -> tuple[float, float]:
    """PSNR in dB over the whole video, and the mean SSIM of its pictures."""
    if np.array_equal(made, exact):
        return IDENTICAL_DB, 1.0
    pairs = zip(exact, made, strict=True)
    ssim = [float(structural_similarity(a, b, channel_axis=2)) for a, b in pairs]
    return float(peak_signal_noise_ratio(exact, made)), statistics.fmean(ssim)


def measure(bench: Bench) -> dict[str, dict[str, Any]]:
    """A row for everything but Exact that this machine can compute."""
    ways, perceived = bench.ways(), lpips()
    exact, exact_seconds = bench.films(ways.pop("exact"))
    rows = dict[str, dict[str, Any]]()
    for name, fields in ways.items():
        made, spent = bench.films(fields)
        found = [likeness(*pair) for pair in zip(made, exact, strict=True)]
        psnr, ssim = [one for one, _ in found], [one for _, one in found]
        gate = GATES.get(name)
        rows[name] = {
            "psnr_db": [round(one, 1) for one in psnr],
            "psnr_db_mean": round(statistics.fmean(psnr), 1),
            "psnr_db_worst": round(min(psnr), 1),
            "ssim_mean": round(statistics.fmean(ssim), 4),
            "lpips_mean": perceived
            if isinstance(perceived, str)
            else round(statistics.fmean(map(perceived, made, exact)), 4),
            "gate_db": gate,
            "passes": gate is None or statistics.fmean(psnr) >= gate,
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
            "seconds": round(time.monotonic() - began),
        },
    )  # fmt: skip
    return 0 if all(row["passes"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
