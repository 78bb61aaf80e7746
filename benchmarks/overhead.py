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

import av
import numpy as np
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline

from benchmarks.report import publish
from wan22_app.demo import SHIPPED
from wan22_app.domain.catalog import DEMO_T2V, ModelEntry, WeightsState
from wan22_app.domain.events import Done, Event
from wan22_app.domain.generation import GenerationRequest, geometry
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, latents_sha256

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
    """What a person would write from the model card, with the same scheduler and VAE type."""
    request, folder = work.request, work.entry.folder
    vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32)
    pipeline = WanPipeline.from_pretrained(folder, vae=vae, torch_dtype=torch.float32)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=request.shift
    )
    pipeline.set_progress_bar_config(disable=True)
    made = geometry(work.entry.spec, request)

    def run() -> str:
        last: list[torch.Tensor] = []

        def keep(_pipe: object, _i: int, _t: object, kwargs: dict[str, torch.Tensor]) -> dict:
            last[:] = [kwargs["latents"]]
            return kwargs

        video = pipeline(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            width=made.width,
            height=made.height,
            num_frames=made.frames,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            guidance_scale_2=request.guidance_low,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            callback_on_step_end=keep,
        ).frames[0]
        _export(video, Path(work.staging) / "stock.mp4", request.fps)
        return latents_sha256(last[0])

    return run


def _export(video: np.ndarray, path: Path, fps: int) -> None:
    """The plainest PyAV script; diffusers' own export needs libraries that the app does without."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in (video * 255).astype(np.uint8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    sys.exit(main())
