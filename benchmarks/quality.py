"""``python -m benchmarks.quality``: how near each speed comes to Exact, and how much faster it is.

The same prompts and seeds are made at every speed by one engine in one run; PSNR and SSIM are the
means over all pictures of a video, told for each video and for the worst one. The lossy speeds are
calibrated: Balanced tries the card's eight-bit attention first and goes back to torch's own where
that is below the gate; Fast takes the greatest limit of the step cache that is not further from
Exact than Balanced may be. ``--model`` names an entry whose weights are here, ``--keep`` lets the
form know: it takes what was found, and what is below its gate is not offered on this card any more.
Exit code 1 where a speed is below its gate. Turbo is measured where the LoRA folder holds the one
distilled LoRA that fits, Exact with compiled regions where a card may compile, LPIPS where it is
installed (see ``benchmarks.perceptual``). Writes ``benchmarks/results/quality-<model>.json``.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.perceptual import Pictures, lpips
from benchmarks.report import publish
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.adapters.videos import pictures
from wan22_app.bootstrap import prepare, services
from wan22_app.domain import loras
from wan22_app.domain.attention import NATIVE, eight_bit
from wan22_app.domain.catalog import ModelEntry, ModelSpec
from wan22_app.domain.events import Done, Event
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.speed import GATES, STEP_CACHES, UNMEASURED, Calibration, fields_of, offered
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, use_threads
from wan22_app.engine.quantized import Copies
from wan22_app.engine.source import Disk
from wan22_app.engine.trials import trials
from wan22_app.services.fitting import distilled, fitting
from wan22_app.settings import Settings

PROMPTS = {
    True: ("a red circle moving left", "a blue square moving right on a grey background",
           "a yellow triangle growing", "a green star circling"),
    False: ("a red fox trots through fresh snow between birches, morning light",
            "a street musician plays the violin in the rain, the camera circles around her"),
}  # fmt: skip
"""For demo models, and for real ones."""
SHOWN = ("a red circle moving left", "a red circle growing")
"""For models that need a start image: it shows just that."""
IDENTICAL_DB = 100.0
"""What stands for equal pictures, whose PSNR is infinite."""
COMPILED = "exact, compiled"
Row = dict[str, Any]


class Bench:
    """One engine and one model."""

    def __init__(self, entry: ModelEntry, folder: Path, steps: int | None):
        settings = Settings()
        self.entry, self._folder, self._steps = entry, folder, steps
        self._engine = Engine(folder / "embeddings", source=Disk(Copies(settings.quantized)))
        probe = NvmlProbe(settings.outputs, settings.trials)
        if probe.device().kind == "cuda":
            # What an engine of the app does when it first starts on a card.
            trials(probe.device().torch_name, settings.trials)
        self.device, self._host = probe.device(), probe.host()
        self._library = services().library
        self._image = draw(folder, entry.spec) if entry.spec.image == "required" else ""

    def able(self, speed: str) -> bool:
        """Whether this machine can compute it."""
        return speed in offered(self.entry.spec, self.device, UNMEASURED)

    def further(self) -> Iterator[tuple[str, dict[str, object]]]:
        """What is compared beside the lossy speeds that are calibrated."""
        spec, library = self.entry.spec, self._library
        name = distilled(library, self.entry, loras.offered(library.loras()))
        if name is not None:
            yield "turbo", {**fields_of(spec, "turbo"), "loras": fitting(library, self.entry, name)}
        for way in self.device.compilation[:1]:
            yield COMPILED, {**fields_of(spec, "exact"), "compilation": way}

    def films(self, fields: Mapping[str, object]) -> tuple[list[Pictures], float]:
        """A video for each prompt, and the seconds of denoising of all but the first."""
        made, spent = list[Pictures](), list[float]()
        prompts = SHOWN if self._image else PROMPTS[self.entry.spec.demo]
        for seed, prompt in enumerate(prompts):
            done = self._run({**fields, "prompt": prompt, "seed": seed})
            made.append(np.stack(list(pictures(Path(done.video)))))
            spent.append(done.seconds["denoising"])
        return made, sum(spent[1:] or spent)

    def _run(self, fields: dict[str, object]) -> Done:
        spec = self.entry.spec
        if self._steps and not fields.get("loras"):
            fields["steps"] = self._steps
        if self._image:
            size = {"width": spec.size.width, "height": spec.size.height}
            fields["image"] = {"sha256": "0" * 64, **size}
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
            image=self._image, app_version="",
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
    # Told to give gradients or maps, it would return more than the number.
    ssim: list[Any] = [structural_similarity(a, b, channel_axis=2) for a, b in pairs]
    return float(peak_signal_noise_ratio(exact, made)), statistics.fmean(ssim)


class Comparison:
    """Videos of this machine beside those at Exact."""

    def __init__(self, bench: Bench):
        self._bench, self._perceived = bench, lpips()
        self._exact, self._seconds = bench.films(dict(fields_of(bench.entry.spec, "exact")))

    def row(self, fields: Mapping[str, object], gate: float | None = None) -> Row:
        """How near and how fast it is."""
        made, spent = self._bench.films(fields)
        found = [likeness(*pair) for pair in zip(made, self._exact, strict=True)]
        psnr, ssim = [one for one, _ in found], [one for _, one in found]
        see, mean = self._perceived, statistics.fmean(psnr)
        near = see if isinstance(see, str) else statistics.fmean(map(see, made, self._exact))
        return {
            "psnr_db": [round(one, 1) for one in psnr],
            "psnr_db_mean": round(mean, 2),
            "psnr_db_worst": round(min(psnr), 1),
            "ssim_mean": round(statistics.fmean(ssim), 4),
            "lpips_mean": near if isinstance(near, str) else round(near, 4),
            "gate_db": gate,
            "passes": gate is None or mean >= gate,
            "denoising_times_exact": round(spent / self._seconds, 2),
        }  # fmt: skip


def calibrate(bench: Bench, compared: Comparison) -> tuple[Calibration, dict[str, Row]]:
    """The lossy speeds as this card should compute them, and a row for all that was tried."""
    found, rows = UNMEASURED, dict[str, Row]()
    spec, balanced = bench.entry.spec, GATES["balanced"]
    if not bench.able("balanced"):
        return found, rows
    psnr = dict[str, float]()
    for way in dict.fromkeys((eight_bit(bench.device), NATIVE)):
        found = Calibration(attention=way)
        row = compared.row(fields_of(spec, "balanced", found), balanced)
        rows[f"balanced, attention {way}"] = row
        psnr["balanced"] = row["psnr_db_mean"]
        if row["passes"]:
            break
    for limit in STEP_CACHES:
        found = found.model_copy(update={"step_cache": limit})
        row = compared.row(fields_of(spec, "fast", found), GATES["fast"])
        rows[f"fast, step cache {limit}"] = row
        psnr["fast"] = row["psnr_db_mean"]
        if psnr["fast"] >= balanced:
            break
    return Calibration.model_validate({**found.model_dump(), "psnr": psnr}), rows


def draw(folder: Path, spec: ModelSpec) -> str:
    """The picture that ``SHOWN`` speaks of, of the model's own size."""
    width, height = spec.size.width, spec.size.height
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    side = min(width, height) // 5
    middle = (width // 2 - side, height // 2 - side, width // 2 + side, height // 2 + side)
    ImageDraw.Draw(picture).ellipse(middle, fill=(220, 30, 30))
    path = folder / "start.png"
    picture.save(path)
    return str(path)


def main() -> int:
    """Measure, report, and keep it where asked."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality")
    parser.add_argument("--model", default="demo-t2v")
    parser.add_argument("--steps", type=int, help="in place of the model's own")
    parser.add_argument("--keep", action="store_true", help="let the form know")
    args = parser.parse_args()
    if args.keep and args.steps:
        parser.error("what is kept is measured with the model's own steps: leave --steps out")
    use_threads(psutil.cpu_count(logical=False) or 1)
    prepare(Settings())
    entry = services().library.entry(args.model)
    if not entry.ready:
        sys.exit(f"{entry.problem} {entry.cure}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(entry, Path(folder), args.steps)
        compared = Comparison(bench)
        found, rows = calibrate(bench, compared)
        rows |= {name: compared.row(fields) for name, fields in bench.further()}
    if args.keep:
        services().quality.keep(bench.device, args.model, found)
    publish(
        f"quality-{args.model}" + (f"-{args.steps}-steps" if args.steps else ""),
        {
            "device": bench.device.name, "model": args.model,
            "steps": args.steps or entry.spec.steps, "speeds": rows,
            "calibration": found.model_dump(mode="json"),
            "seconds": round(time.monotonic() - began),
        },
    )  # fmt: skip
    return 0 if all(found.psnr[speed] >= GATES[speed] for speed in found.psnr) else 1


if __name__ == "__main__":
    sys.exit(main())
