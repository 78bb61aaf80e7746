"""Eight-bit weights: how near they come, with every placement and LoRAs, and their copies."""

import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.engine.conftest import NATIVE, Generate, Latents, Make, Outcome
from tests.engine.test_loras import matrices, write
from tests.values import PLAN
from wan22_app.domain.events import Cancelled, Done, Stage
from wan22_app.domain.generation import LoraRef
from wan22_app.engine.engine import Engine
from wan22_app.engine.quantized import UNUSED_S, Copies
from wan22_app.engine.source import Disk

pytestmark = pytest.mark.slow

ON_A_PROCESSOR = ("int8", "int8-dynamic", "fp8")
FAR = {"int8": 0.12, "int8-dynamic": 0.17, "fp8": 0.25}
"""Distance of the final latents from those of bf16, over their length. Measured after four steps of
the four cases below: 0.04 to 0.06, 0.05 to 0.09 and 0.07 to 0.13."""
LAYOUTS = (("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True))
BLOCKS = PLAN.model_copy(update={"offload": "block"})
ONE = PLAN.model_copy(update={"keep": "one"})


@pytest.fixture
def latents(latents: Latents) -> Latents:
    """The final latents of a run in bf16."""
    return partial(latents, precision="bf16")


@pytest.mark.parametrize(("key", "image"), LAYOUTS)
@pytest.mark.parametrize("kind", ON_A_PROCESSOR)
def test_it_comes_near_to_bf16(latents: Latents, kind: str, key: str, image: bool) -> None:
    plain = latents(key, image=image, **NATIVE)
    quantized = latents(key, image=image, quantization=kind, **NATIVE)
    distance = float((quantized - plain).norm() / plain.norm())
    assert 0 < distance < FAR[kind], distance


BOTH = PLAN.model_copy(update={"offload": "block", "keep": "one"})
PLACES = pytest.mark.parametrize(
    "plan", [BLOCKS, ONE, BOTH], ids=["block offload", "one part", "both"]
)


@PLACES
@pytest.mark.parametrize("kind", ON_A_PROCESSOR)
def test_where_the_weights_lie_changes_no_bit(generate: Generate, kind: str, plan: Any) -> None:
    options = {"precision": "bf16", "quantization": kind}
    whole = generate("demo-t2v", **options)
    placed = generate("demo-t2v", plan=plan, **options)
    assert placed.done.latents_sha256 == whole.done.latents_sha256


@pytest.mark.parametrize("plan", [PLAN, BLOCKS, ONE], ids=["none", "block offload", "one part"])
@pytest.mark.parametrize("kind", ON_A_PROCESSOR)
def test_loras_work_on_it_and_leave_without_a_trace(
    generate: Generate, tmp_path: Path, kind: str, plan: Any
) -> None:
    file = write(tmp_path / "x.safetensors", matrices(("attn1.to_q", "ffn.net.2")))
    base = {"precision": "bf16", "quantization": kind, "plan": plan}

    def run(*strengths: float) -> str:
        refs = tuple(LoraRef(file="x.safetensors", strength=each) for each in strengths)
        found = generate("demo-t2v", loras=refs, lora_paths=(file[1],) * len(refs), **base)
        return found.done.latents_sha256

    without, whole, half, none = run(), run(1.0), run(0.5), run(0.0)
    assert none == without == run()
    assert len({without, whole, half}) == 3


def test_a_run_that_was_stopped_goes_on_to_equal_latents(generate: Generate) -> None:
    options = {"precision": "bf16", "quantization": "int8", "steps": 6}
    whole = generate("demo-t2v", **options).done
    stopped = generate("demo-t2v", Stage.DENOISING, 4, **options)
    assert isinstance(stopped.verdict, Cancelled)
    rest = generate("demo-t2v", again=True, **options)
    assert rest.steps(Stage.DENOISING)[0].done >= 3
    assert rest.done.latents_sha256 == whole.latents_sha256


def test_a_quantized_text_encoder_reads_nearly_the_same(
    latents: Latents,
) -> None:
    prompt = "a green square that grows"
    plain = latents("demo-t2v", prompt=prompt)
    quantized = latents("demo-t2v", prompt=prompt, text_quantization="int8")
    distance = float((quantized - plain).norm() / plain.norm())
    assert 0 < distance < 0.25, distance


@PLACES
def test_where_a_quantized_text_encoder_lies_changes_no_bit(generate: Generate, plan: Any) -> None:
    options = {"precision": "bf16", "text_quantization": "int8"}
    whole = generate("demo-t2v", **options)
    placed = generate("demo-t2v", plan=plan, **options)
    assert placed.done.latents_sha256 == whole.done.latents_sha256


class Bench:
    """An engine with a folder of copies and a checkpoint of its own."""

    def __init__(self, work: Make, checkpoint: Path, tmp_path: Path):
        self.copies = Copies(tmp_path / "quantized", reserve_bytes=0)
        self._work, self._checkpoint, self._folder = work, checkpoint, tmp_path

    def run(self, copies: Copies | None = None, part: str = "quantization") -> Done:
        """A cold engine each time, which has read no text."""
        task = self._work("demo-t2v", folder=self._checkpoint, precision="bf16", **{part: "int8"})
        Path(task.latents).unlink(missing_ok=True)
        shutil.rmtree(self._folder / "embeddings", ignore_errors=True)
        outcome = Outcome()
        engine = Engine(self._folder / "embeddings", source=Disk(copies or self.copies))
        engine.run(task, outcome.events.append, threading.Event())
        return outcome.done

    def kept(self) -> list[Path]:
        return sorted(self.copies.folder.iterdir()) if self.copies.folder.is_dir() else []


@pytest.fixture
def bench(work: Make, checkpoint: Path, tmp_path: Path) -> Bench:
    return Bench(work, checkpoint, tmp_path)


def spoil(part: Path) -> None:
    """Other numbers in a file that looks the same from outside."""
    file = next(part.glob("*.safetensors"))
    before = file.stat()
    tensors = {name: value * 1.1 for name, value in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_second_time_the_copy_is_read(bench: Bench, checkpoint: Path) -> None:
    first = bench.run()
    assert len(bench.kept()) == 2, "one for each expert"
    for name in ("transformer", "transformer_2"):
        spoil(checkpoint / name)
    assert bench.run().latents_sha256 == first.latents_sha256
    shutil.rmtree(bench.copies.folder)
    assert bench.run().latents_sha256 != first.latents_sha256, "the spoiled ones were not read"


def test_a_quantized_text_encoder_is_read_from_its_copy_too(bench: Bench, checkpoint: Path) -> None:
    first = bench.run(part="text_quantization")
    assert len(bench.kept()) == 1
    spoil(checkpoint / "text_encoder")
    assert bench.run(part="text_quantization").latents_sha256 == first.latents_sha256
    shutil.rmtree(bench.copies.folder)
    assert bench.run(part="text_quantization").latents_sha256 != first.latents_sha256


def test_a_copy_is_about_half_as_large(bench: Bench, checkpoint: Path) -> None:
    bench.run()
    plain = (checkpoint / "transformer").glob("*.safetensors")
    in_bf16 = sum(file.stat().st_size for file in plain) * bf16_share(checkpoint / "transformer")
    for copy in bench.kept():
        size = sum(file.stat().st_size for file in copy.glob("*.safetensors"))
        assert 0.5 < size / in_bf16 < 0.7


def bf16_share(part: Path) -> float:
    """Of the file's bytes that its numbers take in bf16."""
    tensors = load_file(next(part.glob("*.safetensors"))).values()
    return sum(2 * each.numel() for each in tensors) / sum(each.nbytes for each in tensors)


def test_other_weights_are_quantized_anew(bench: Bench, checkpoint: Path) -> None:
    first = bench.run()
    spoil(checkpoint / "transformer")
    os.utime(next((checkpoint / "transformer").glob("*.safetensors")))
    assert bench.run().latents_sha256 != first.latents_sha256
    assert len(bench.kept()) == 3


def test_a_copy_that_cannot_be_read_is_made_again(bench: Bench) -> None:
    first = bench.run()
    for copy in bench.kept():
        file = next(copy.glob("*.safetensors"))
        file.write_bytes(file.read_bytes()[:-1000])
    assert bench.run().latents_sha256 == first.latents_sha256
    whole = [next(copy.glob("*.safetensors")).stat().st_size for copy in bench.kept()]
    assert len(whole) == 2
    assert bench.run().latents_sha256 == first.latents_sha256


def test_without_room_nothing_is_kept_and_the_run_goes_on(bench: Bench) -> None:
    full = Copies(bench.copies.folder, reserve_bytes=2**60)
    assert bench.run(full).latents_sha256 == bench.run().latents_sha256
    shutil.rmtree(bench.copies.folder)
    bench.run(full)
    assert bench.kept() == []


def test_what_nobody_has_read_for_a_month_goes(bench: Bench) -> None:
    old, recent = bench.copies.folder / "old", bench.copies.folder / "recent"
    for folder in (old, recent):
        folder.mkdir(parents=True)
    now = old.stat().st_mtime
    os.utime(old, (now, now - UNUSED_S - 60))
    os.utime(recent, (now, now - UNUSED_S + 600))
    bench.run()
    assert not old.exists()
    assert recent.exists()


def test_what_a_killed_engine_has_left_goes_at_once(bench: Bench) -> None:
    """A copy of 14 GB that was never finished; another engine's that is being written stays."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left, busy = (bench.copies.folder / f"key.{pid}.part" for pid in (ended.pid, os.getpid()))
    odd = bench.copies.folder / "odd.part"
    for folder in (left, busy, odd):
        folder.mkdir(parents=True)
    bench.run()
    assert not left.exists()
    assert busy.exists()
    assert odd.exists()
