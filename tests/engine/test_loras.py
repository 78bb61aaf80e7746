"""LoRAs of every format, several at once, made stronger in place, gone without a trace."""

import gc
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from tests.engine.conftest import Generate
from tests.values import PLAN
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.lora_keys import ATTENTION, FEED_FORWARD

pytestmark = pytest.mark.slow

RANK = 4
NATIVE = {**ATTENTION, **FEED_FORWARD}
WIDE = 512
"""Of the demo models' feed-forward."""


def matrices(modules: tuple[str, ...], seed: int = 0) -> dict[str, tuple[torch.Tensor, ...]]:
    """A down and an up matrix for these modules of two blocks."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for block in range(2):
        for module in modules:
            inner = WIDE if module == "ffn.net.2" else 128
            outer = WIDE if module == "ffn.net.0.proj" else 128
            down = torch.randn(RANK, inner, generator=generator) * 0.3
            up = torch.randn(outer, RANK, generator=generator) * 0.3
            made[f"blocks.{block}.{module}"] = (down, up)
    return made


def native(module: str) -> str:
    block, inner = module.split(".", 2)[1:]
    return f"blocks.{block}.{NATIVE[inner]}"


NAMES = {
    "diffusers": ("transformer.{ours}.lora_A.weight", "transformer.{ours}.lora_B.weight", ""),
    "peft": (
        "base_model.model.{ours}.lora_A.default.weight",
        "base_model.model.{ours}.lora_B.default.weight",
        "",
    ),
    "comfyui": (
        "diffusion_model.{native}.lora_A.weight",
        "diffusion_model.{native}.lora_B.weight",
        "",
    ),
    "lightning": (
        "diffusion_model.{native}.lora_down.weight",
        "diffusion_model.{native}.lora_up.weight",
        "diffusion_model.{native}.alpha",
    ),
    "kohya": (
        "lora_unet_{flat}.lora_down.weight",
        "lora_unet_{flat}.lora_up.weight",
        "lora_unet_{flat}.alpha",
    ),
    "bare": ("{native}.lora_down.weight", "{native}.lora_up.weight", "{native}.alpha"),
}


def write(
    path: Path,
    made: Mapping[str, tuple[torch.Tensor, ...]],
    names: tuple[str, str, str] = NAMES["comfyui"],
    alpha: float = RANK,
) -> tuple[LoraRef, str]:
    """A LoRA file under these names, and what a request and its work say of it."""
    tensors = {}
    for ours, (down, up) in made.items():
        words = {"ours": ours, "native": native(ours), "flat": native(ours).replace(".", "_")}
        for name, value in zip(names, (down, up, torch.tensor(float(alpha))), strict=True):
            if name:
                tensors[name.format(**words)] = value.clone()
    save_file(tensors, path)
    return LoraRef(file=path.name), str(path)


def hashed(generate: Generate, *files: tuple[LoraRef, str], **strengths: float) -> str:
    """The latents' hash with these LoRAs; a strength for a file by its stem."""
    refs = tuple(
        ref.model_copy(update={"strength": strengths.get(Path(ref.file).stem, 1.0)})
        for ref, _ in files
    )
    paths = tuple(path for _, path in files)
    return generate("demo-t2v", loras=refs, lora_paths=paths).done.latents_sha256


def adapters() -> int:
    """Modules in memory that carry a LoRA."""
    gc.collect()
    return sum(isinstance(each, LoraLayer) for each in gc.get_objects())


@pytest.mark.parametrize(
    "modules", [tuple(NATIVE), ("attn1.to_q",)], ids=["all modules", "one module"]
)
def test_all_formats_say_the_same(
    generate: Generate, tmp_path: Path, modules: tuple[str, ...]
) -> None:
    made = matrices(modules)
    files = [write(tmp_path / f"{kind}.safetensors", made, names) for kind, names in NAMES.items()]
    found = {hashed(generate, file) for file in files}
    assert len(found) == 1
    assert found != {hashed(generate)}


def test_an_alpha_too_large_for_the_type_of_its_file_makes_no_black_video(
    generate: Generate, tmp_path: Path
) -> None:
    found = matrices(("attn1.to_q",)).items()
    made = {name: (down.half(), up.half()) for name, (down, up) in found}
    ref, path = write(tmp_path / "loud.safetensors", made, NAMES["kohya"], alpha=1e6)
    failed = generate("demo-t2v", loras=(ref,), lora_paths=(path,)).failed
    assert failed.kind == "request"
    assert "loud.safetensors" in failed.problem.what


@pytest.mark.parametrize("kind", ["lightning", "kohya"])
def test_half_the_alpha_is_half_the_strength(generate: Generate, tmp_path: Path, kind: str) -> None:
    made = matrices(("attn1.to_q", "attn1.to_v"))
    whole = write(tmp_path / "whole.safetensors", made, NAMES[kind])
    half = write(tmp_path / "half.safetensors", made, NAMES[kind], alpha=RANK / 2)
    assert hashed(generate, half) == hashed(generate, whole, whole=0.5)
    assert hashed(generate, half) != hashed(generate, whole)


def test_a_lora_changes_the_video_and_goes_without_a_trace(
    generate: Generate, tmp_path: Path
) -> None:
    ref, path = write(tmp_path / "x.safetensors", matrices(("attn1.to_q", "attn1.to_v")))
    halves = [
        (ref.model_copy(update={"expert": expert}), path) for expert in ("both", "high", "low")
    ]
    base = hashed(generate)
    changed = {hashed(generate, half) for half in halves} | {hashed(generate, halves[0], x=0.5)}
    assert len(changed) == 4
    assert base not in changed
    assert hashed(generate, halves[0], x=0.0) == base
    assert adapters() > 0
    assert hashed(generate) == base
    assert adapters() == 0, "600 MB for each expert of A14B"


def test_several_work_together_and_leave_one_by_one(generate: Generate, tmp_path: Path) -> None:
    first = write(tmp_path / "first.safetensors", matrices(("attn1.to_q",), seed=1))
    second = write(tmp_path / "second.safetensors", matrices(("ffn.net.2",), seed=2))
    base, one, other = hashed(generate), hashed(generate, first), hashed(generate, second)
    both = hashed(generate, first, second)
    assert len({base, one, other, both}) == 4
    assert hashed(generate, first, second, second=0.0) == one
    assert hashed(generate, second) == other
    assert hashed(generate) == base


def test_another_strength_reads_nothing(generate: Generate, tmp_path: Path) -> None:
    """A distilled LoRA of A14B has 600 MB; a slider that is moved must not cost that each time."""
    file = write(tmp_path / "x.safetensors", matrices(("attn1.to_q", "ffn.net.0.proj")))
    whole, half = hashed(generate, file), hashed(generate, file, x=0.5)
    hashed(generate, file, x=-1.0)
    (tmp_path / "x.safetensors").unlink()
    assert hashed(generate, file) == whole
    assert hashed(generate, file, x=0.5) == half


def test_a_file_that_matches_nothing_is_refused(generate: Generate, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"something.else.lora_A.weight": torch.zeros(4, 128)}, path)
    ref = LoraRef(file="other.safetensors")
    failed = generate("demo-t2v", loras=(ref,), lora_paths=(str(path),)).failed
    assert failed.kind == "request"
    assert "other.safetensors" in failed.problem.what


@pytest.mark.parametrize("offload", ["block", "model"])
def test_offloaded_blocks_take_loras_and_lose_them(
    generate: Generate, tmp_path: Path, offload: str
) -> None:
    ref, path = write(tmp_path / "x.safetensors", matrices(("attn1.to_q", "ffn.net.2")))
    placed = PLAN.model_copy(update={"offload": offload})
    loras = {"loras": (ref,), "lora_paths": (path,)}
    with_it = generate("demo-t2v", **loras).done.latents_sha256
    without = generate("demo-t2v").done.latents_sha256
    for _ in range(2):
        assert generate("demo-t2v", plan=placed, **loras).done.latents_sha256 == with_it
        assert generate("demo-t2v", plan=placed).done.latents_sha256 == without
