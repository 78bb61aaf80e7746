"""Transformers out of GGUF files: how near they come, with every placement, LoRAs and a resume."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import gguf_files
from tests.engine.conftest import NATIVE, Generate, Latents, Pack
from tests.engine.test_loras import matrices
from tests.engine.test_loras import write as write_lora
from tests.values import PLAN
from wan22_app.domain.events import Cancelled, Done, Stage
from wan22_app.domain.generation import LoraRef

pytestmark = pytest.mark.slow

FAR = {"Q8_0": 0.05, "Q5_0": 0.25, "Q4_0": 0.5}
"""Distance of the final latents from those of the plain weights, over their length. Measured after
four steps of the four cases below: 0.01 to 0.02, 0.09 to 0.14 and 0.23 to 0.32."""
LAYOUTS = (("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True))
BLOCKS = PLAN.model_copy(update={"offload": "block"})
ONE = PLAN.model_copy(update={"keep": "one"})


@pytest.mark.parametrize(("key", "image"), LAYOUTS)
@pytest.mark.parametrize("kind", FAR)
def test_it_comes_as_near_as_its_bits_allow(
    latents: Latents, pack: Pack, kind: str, key: str, image: bool
) -> None:
    plain = latents(key, image=image, **NATIVE)
    packed = latents(key, image=image, experts=pack(key, kind), **NATIVE)
    distance = float((packed - plain).norm() / plain.norm())
    assert 0 < distance < FAR[kind], distance


@pytest.mark.parametrize(("key", "image"), LAYOUTS)
def test_in_halves_it_is_equal_to_the_bit(
    generate: Generate, pack: Pack, key: str, image: bool
) -> None:
    """The demo models' weights are halves, so nothing is lost: names and shapes are all there."""
    plain = generate(key, image=image).done.latents_sha256
    assert generate(key, image=image, experts=pack(key, "F16")).done.latents_sha256 == plain


@pytest.mark.parametrize("kind", gguf_files.K_SCALES)
def test_kinds_with_scales_of_scales_hold_the_numbers_that_ggufs_own_library_finds(
    latents: Latents, checkpoint: Path, tmp_path: Path, kind: str
) -> None:
    files, plain = [], tmp_path / "plain"
    shutil.copytree(checkpoint, plain)
    for part in ("transformer", "transformer_2"):
        shutil.rmtree(plain / part)
        path = tmp_path / f"{part}-{kind}.gguf"
        files.append(str(gguf_files.write_k(checkpoint / part, path, kind, plain / part)))
    expected = latents("demo-t2v", folder=plain)
    found = latents("demo-t2v", folder=checkpoint, experts=tuple(files))
    distance = float((found - expected).norm() / expected.norm())
    assert distance < 2e-3, distance


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("plan", [BLOCKS, ONE], ids=["block offload", "one part"])
def test_where_the_weights_lie_changes_no_bit(
    generate: Generate, pack: Pack, plan: Any, precision: str
) -> None:
    options = {"precision": precision, "experts": pack("demo-t2v")}
    whole = generate("demo-t2v", **options)
    placed = generate("demo-t2v", plan=plan, **options)
    assert placed.done.latents_sha256 == whole.done.latents_sha256


@pytest.mark.parametrize("plan", [PLAN, BLOCKS, ONE], ids=["whole", "block offload", "one part"])
def test_loras_work_on_it_and_leave_without_a_trace(
    generate: Generate, pack: Pack, tmp_path: Path, plan: Any
) -> None:
    file = write_lora(tmp_path / "x.safetensors", matrices(("attn1.to_q", "ffn.net.2")))
    options: dict[str, Any] = {"experts": pack("demo-t2v"), "plan": plan}

    def run(*strengths: float) -> str:
        refs = tuple(LoraRef(file="x.safetensors", strength=each) for each in strengths)
        found = generate("demo-t2v", loras=refs, lora_paths=(file[1],) * len(refs), **options)
        return found.done.latents_sha256

    without, whole, half, none = run(), run(1.0), run(0.5), run(0.0)
    assert none == without == run()
    assert len({without, whole, half}) == 3


def test_a_run_that_was_stopped_goes_on_to_equal_latents(generate: Generate, pack: Pack) -> None:
    options = {"experts": pack("demo-t2v", "Q4_0"), "steps": 6}
    whole = generate("demo-t2v", **options).done
    assert isinstance(generate("demo-t2v", Stage.DENOISING, 3, **options).verdict, Cancelled)
    rest = generate("demo-t2v", again=True, **options).verdict
    assert isinstance(rest, Done)
    assert rest.latents_sha256 == whole.latents_sha256


def test_the_folders_own_transformers_are_not_read(
    generate: Generate, pack: Pack, checkpoint: Path
) -> None:
    """They are what a person need not fetch."""
    whole = generate("demo-t2v", experts=pack("demo-t2v")).done
    for part in ("transformer", "transformer_2"):
        for file in (checkpoint / part).glob("*.safetensors"):
            file.unlink()
    alone = generate("demo-t2v", folder=checkpoint, experts=pack("demo-t2v")).done
    assert alone.latents_sha256 == whole.latents_sha256


def test_a_file_that_was_cut_short_is_told_as_damaged_weights(
    generate: Generate, pack: Pack, tmp_path: Path
) -> None:
    high, low = pack("demo-t2v")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(Path(high).read_bytes()[:100_000])
    outcome = generate("demo-t2v", experts=(str(broken), low), precision="bf16")
    assert outcome.failed.kind == "weights"
