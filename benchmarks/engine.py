"""``python -m benchmarks.engine``: the engine at full size, against stock diffusers and its plan.

On a CUDA card: the real layouts with random weights that are made there, so neither weights nor a
network are needed; random weights draw noise, their speed and memory are those of real ones.
Smaller cards are emulated by a limit on what the allocator may take (``--caps``, in GiB, as cards
are sold). Without a card: the demo layouts on the CPU.

Each plan runs twice: the first run with one step calibrates the second one's prediction. Stock is
diffusers' own pipeline call with everything on the device and its VAE in fp32, with export, in the
same process. ``--with`` sets further fields of our request, such as what *Balanced* consists of
(``--with precision=bf16 quantization=int8-dynamic attention=sage``). Few steps are made, without
guidance; what a whole run would take is computed from them and labelled so. Prints and writes
``benchmarks/results/engine-<model>.json``.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.layouts import RandomWeights
from benchmarks.report import publish
from benchmarks.stock import run_stock, start_image, stock_pipeline
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.demo import SHIPPED
from wan22_app.domain.cards import card_of
from wan22_app.domain.catalog import DEMO_SPECS, GB, REAL_SPECS, ModelEntry, ModelSpec, WeightsState
from wan22_app.domain.effort import operations
from wan22_app.domain.events import Done, Event
from wan22_app.domain.footprint import CONTEXT_BYTES
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.measured import Measured, measure
from wan22_app.domain.memory import plan_memory, ram_budget
from wan22_app.domain.plan import Device, Host, MemoryPlan, WontFit
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, latents_sha256
from wan22_app.engine.placement import give_back
from wan22_app.engine.source import Source, from_disk
from wan22_app.engine.watching import RamWatch

Row = dict[str, Any]
LATENTS = "latents.safetensors"
SHIFT = 3.0
"""So that the second of two steps is below the boundary, and both experts work."""


@dataclass(frozen=True)
class Bench:
    """One model and size, and where it runs."""

    spec: ModelSpec
    request: GenerationRequest
    source: Source
    folder: Path
    device: Device
    host: Host
    image: str
    chosen: Mapping[str, str]
    """Further fields, for our request alone."""


def main() -> int:
    """Measure one model at one size, under each cap."""
    cuda = torch.cuda.is_available()
    specs = {spec.key: spec for spec in (REAL_SPECS if cuda else DEMO_SPECS)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=specs, default="ti2v-5b" if cuda else "demo-t2v")
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--caps", type=float, nargs="*", default=[16, 12, 8, 6] if cuda else [])
    parser.add_argument("--tile", default="auto", help="side of the VAE's tiles")
    parser.add_argument("--with", nargs="*", default=[], metavar="FIELD=VALUE", dest="fields")
    parser.add_argument("--no-stock", action="store_true", help="our own rows only")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        bench = _bench(specs[args.model], args, Path(base))
        for report in measure_all(bench, args.caps, stock=not args.no_stock):
            # After each row: a run that is cut off has not been for nothing.
            publish(f"engine-{args.model}", report)
    return 0


def measure_all(bench: Bench, caps: Sequence[float], *, stock: bool) -> Iterator[Row]:
    """The whole device first, then each cap; stock last, as it leaves most behind."""
    rows: list[Row] = []
    latents: dict[float | None, torch.Tensor] = {}
    report: Row = {
        "model": bench.spec.key,
        "video": f"{bench.request.width}x{bench.request.height}x{bench.request.frames}",
        "steps": bench.request.steps,
        "guidance": bench.request.guidance,
        "with": bench.chosen,
        "device": bench.device.name,
        "driver": bench.device.driver,
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        "rows": rows,
    }
    for cap in (None, *caps):
        row, latents[cap] = _ours(bench, cap)
        rows.append(row)
        yield report
    if stock:
        report["stock"], theirs = _stock(bench)
        for row in rows:
            if theirs is not None and "measured" in row:
                _compare(row, latents[row["cap_gib"]], report["stock"], theirs)
        yield report


def _ours(bench: Bench, cap: float | None) -> tuple[Row, torch.Tensor]:
    """A calibrating run, and the one that is measured, with its latents."""
    nothing = torch.empty(0)
    row: Row = {"cap_gib": cap}
    device = _capped(bench.device, cap)
    # Each row reads its texts anew: a run that finds them read is not complete.
    engine = Engine(bench.folder / f"embeddings-{cap}", source=bench.source)
    learned: list[Measured] = []
    first = bench.request.model_copy(update={"steps": 1, "prompt": "a blue ball"})
    for name, request in (("calibrating", first), ("measured", bench.request)):
        plan = plan_memory(bench.spec, request, device, bench.host, learned)
        if isinstance(plan, WontFit):
            return {**row, "wont_fit": plan.model_dump()}, nothing
        found = _run(engine, bench, request, plan)
        if not isinstance(found, Done):
            return {**row, "failed": found.model_dump(mode="json")}, nothing
        ram = ram_budget(bench.host)
        learned = [measure(bench.spec, request, plan, device, ram, found, "benchmark")]
        row[name] = _figures(bench, request, plan, found)
    engine.free()
    return row, load_file(bench.folder / LATENTS)["latents"]


def _run(engine: Engine, bench: Bench, request: GenerationRequest, plan: MemoryPlan) -> Event:
    work = _work(bench, request, plan)
    Path(work.latents).unlink(missing_ok=True)
    events: list[Event] = []
    engine.run(work, events.append, threading.Event())
    return events[-1]


def _figures(bench: Bench, request: GenerationRequest, plan: MemoryPlan, done: Done) -> Row:
    """Predicted beside measured; seconds of the stages."""
    spent = done.seconds
    row: Row = {
        "plan": {
            "offload": plan.offload, "keep": plan.keep, "tile": plan.tile, "chunk": plan.chunk,
            "calibrated": plan.calibrated,
        },
        "vram_gb": _beside(plan.peak_vram_bytes, _on_card(done.peak_vram_bytes)),
        "ram_gb": _beside(plan.peak_ram_bytes, done.peak_ram_bytes),
        "seconds": spent,
        "until_denoising_s": round(sum(spent.get(k, 0) for k in ("loading", "text", "image")), 3),
        "denoising_s_a_step": round(spent["denoising"] / request.steps, 3),
        "latents_sha256": done.latents_sha256,
    }  # fmt: skip
    if plan.keep == "all":  # else its denoising has the reading of experts in it
        whole = spent["denoising"] / request.steps * bench.spec.steps * 2
        row["computed_whole_run_s"] = round(whole + spent["decoding"] + spent["encoding"], 1)
    card = card_of(bench.device.name)
    if card is not None:
        share = operations(bench.spec, request) / spent["denoising"] / (card.bf16 * 1e12)
        row["percent_of_roofline"] = round(100 * share, 1)
    return row


def _on_card(reserved: int) -> int:
    """With what the card holds beside torch's own memory; 0 stays 0."""
    return reserved and reserved + CONTEXT_BYTES


def _beside(predicted: int, measured: int) -> Row:
    ratio = round(predicted / measured, 3) if measured else None
    return {
        "predicted": round(predicted / GB, 2), "measured": round(measured / GB, 2), "ratio": ratio
    }  # fmt: skip


def _stock(bench: Bench) -> tuple[Row, torch.Tensor | None]:
    """The plain script, or what it died of."""
    _capped(bench.device, None)
    plan = MemoryPlan(
        device=bench.device.torch_name, precision=bench.request.precision, offload="none",
        tile=None, peak_vram_bytes=0, peak_ram_bytes=0,
    )  # fmt: skip
    work = _work(bench, bench.request, plan)
    row: Row = {}
    try:
        with torch.no_grad(), RamWatch() as ram:
            pipeline = stock_pipeline(work, bench.source)
            latents = torch.empty(0)
            for _ in range(2):  # the first one warms up
                _forget_peaks()
                start = time.perf_counter()
                latents = run_stock(pipeline, work).float().cpu()
                row["seconds"] = round(time.perf_counter() - start, 3)
            row["ram_gb"] = round(ram.peak_bytes / GB, 2)
    except RuntimeError as error:
        return {"failed": f"{type(error).__name__}: {str(error)[:300]}"}, None
    row["latents_sha256"] = latents_sha256(latents)
    row["vram_gb"] = round(_on_card(_reserved()) / GB, 2)
    return row, latents


def _compare(row: Row, latents: torch.Tensor, stock: Row, theirs: torch.Tensor) -> None:
    """Time and memory as ratios, and how far apart the latents are."""
    ours = row["measured"]
    spent = sum(each for stage, each in ours["seconds"].items() if stage != "loading")
    vram = ours["vram_gb"]["measured"]
    row["stock_over_ours"] = {
        "seconds": round(stock["seconds"] / spent, 3),
        "vram": round(stock["vram_gb"] / vram, 2) if vram else None,
    }
    row["latents_from_stock"] = {
        "equal": ours["latents_sha256"] == stock["latents_sha256"],
        "mean_distance": float((latents - theirs).abs().mean()),
        "deviation_of_stock": float(theirs.std()),
    }


def _work(bench: Bench, request: GenerationRequest, plan: MemoryPlan) -> Work:
    entry = ModelEntry(spec=bench.spec, state=WeightsState.READY, folder=str(bench.folder))
    if bench.spec.demo:
        entry = entry.model_copy(update={"folder": str(SHIPPED / str(bench.spec.task))})
    return Work(
        job_id="0" * 32, epoch=1, request=request, plan=plan, entry=entry, image=bench.image,
        staging=str(bench.folder), latents=str(bench.folder / LATENTS),
        app_version="benchmark",
    )  # fmt: skip


def _bench(spec: ModelSpec, args: argparse.Namespace, base: Path) -> Bench:
    image = str(start_image(base, spec)) if spec.image == "required" else ""
    fields: dict[str, object] = {
        "prompt": "a red ball", "width": args.width, "height": args.height, "frames": args.frames,
        "steps": args.steps, "guidance": 1.0, "shift": SHIFT, "tile": args.tile,
    }  # fmt: skip
    chosen = dict(field.split("=", 1) for field in args.fields)
    if image:
        size = {"width": spec.size.width, "height": spec.size.height}
        fields["image"] = {"sha256": "0" * 64, **size}
    request = GenerationRequest.build(spec, {**fields, **chosen}, seed=7)
    host = NvmlProbe(base, base / "attention.json").host()
    device, source = Device(kind="cpu", name="cpu"), from_disk
    if not spec.demo:
        device = _card()
        weights = RandomWeights(spec, torch.device(device.torch_name))
        weights.folder(base)
        source = weights
        # The stand-in for the text encoder is far smaller than the real one.
        costs = spec.costs.model_copy(update={"text_bytes": weights.text_bytes()})
        spec = spec.model_copy(update={"costs": costs})
    return Bench(spec, request, source, base, device, host, image, chosen)


def _card() -> Device:
    import pynvml

    pynvml.nvmlInit()
    free, total = torch.cuda.mem_get_info()
    return Device(
        kind="cuda", name=torch.cuda.get_device_name(), total_bytes=total, free_bytes=free,
        driver=str(pynvml.nvmlSystemGetDriverVersion()),
    )  # fmt: skip


def _capped(device: Device, cap: float | None) -> Device:
    """The card as if it had so many GiB: its allocator refuses more."""
    _forget_peaks()
    if device.kind == "cpu":
        return device
    total = device.total_bytes if cap is None else int(cap * 1024**3)
    share = 1.0 if cap is None else (total - CONTEXT_BYTES) / device.total_bytes
    torch.cuda.set_per_process_memory_fraction(share)
    return device.model_copy(update={"total_bytes": total, "free_bytes": total})


def _forget_peaks() -> None:
    give_back()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _reserved() -> int:
    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0


if __name__ == "__main__":
    sys.exit(main())
