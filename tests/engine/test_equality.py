"""Our loop's latents equal those of the stock diffusers pipeline, to the bit wherever they can."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
)
from PIL import Image
from safetensors.torch import load_file
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.engine.conftest import Generate, Make, Outcome
from wan22_app.domain.generation import geometry
from wan22_app.domain.work import Work
from wan22_app.engine.engine import latents_sha256
from wan22_app.engine.picture import fitted
from wan22_app.engine.quicken import quicken

CASES = [
    ("demo-t2v", False),
    ("demo-i2v", True),
    ("demo-ti2v", False),
    ("demo-ti2v", True),
]


def stock(work: Work, dtype: torch.dtype) -> torch.Tensor:
    """The latents of diffusers' own call, with the VAE's kernels that ours has on a CPU."""
    request, spec = work.request, work.entry.spec
    folder = Path(work.entry.folder)
    vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32)
    quicken(vae)
    kind = WanImageToVideoPipeline if work.image else WanPipeline
    pipeline = kind.from_pretrained(folder, vae=vae, torch_dtype=dtype, local_files_only=True)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=request.shift
    )
    pipeline.set_progress_bar_config(disable=True)
    made = geometry(spec, request)
    return pipeline(
        **({"image": fitted(work.image, made)} if work.image else {}),
        **({"last_image": fitted(work.last_image, made)} if work.last_image else {}),
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=made.width,
        height=made.height,
        num_frames=made.frames,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        guidance_scale_2=request.guidance_low,
        max_sequence_length=spec.text_length,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="latent",
    ).frames


def own(outcome: Outcome, work: Work) -> torch.Tensor:
    """The latents that a run has saved, which are those that its verdict tells the hash of."""
    latents = load_file(work.latents)["latents"]
    assert latents_sha256(latents) == outcome.done.latents_sha256
    return latents


@pytest.mark.parametrize(("key", "image"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_latents_equal_stock(
    generate: Generate, work: Make, key: str, image: bool, precision: str
) -> None:
    options = {"image": image, "precision": precision, "negative_prompt": "blurry"}
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    task = work(key, **options)
    expected, found = stock(task, dtype), own(generate(key, **options), task)
    if key == "demo-ti2v" and precision == "fp32":
        # Stock sends each token's timestep through the time embedding, which rounds differently
        # for many rows than for one or two.
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    else:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_between_two_images_they_are_equal_too(
    generate: Generate, work: Make, tmp_path: Path, precision: str
) -> None:
    last = tmp_path / "last.png"
    Image.new("RGB", (64, 64), "teal").save(last)
    options = {"image": True, "last": last, "precision": precision}
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    task = work("demo-i2v", **options)
    found = own(generate("demo-i2v", **options), task)
    assert torch.equal(found, stock(task, dtype))
    alone = own(generate("demo-i2v", image=True, precision=precision), task)
    assert not torch.equal(found, alone)


def test_without_guidance_they_are_equal_too(generate: Generate, work: Make) -> None:
    task, outcome = work("demo-t2v", guidance=1.0), generate("demo-t2v", guidance=1.0)
    assert torch.equal(own(outcome, task), stock(task, torch.float32))


@pytest.mark.parametrize("key", ["demo-t2v", "demo-ti2v"])
def test_in_chunks_the_video_is_the_same_up_to_rounding(
    generate: Generate, work: Make, key: str
) -> None:
    task = work(key)
    whole = own(generate(key), task)
    small, lengths = task.plan.model_copy(update={"chunk": 7}), set[int]()

    def note(module: torch.nn.Module, inputs: Any) -> None:
        if type(module).__name__ == "FeedForward":
            lengths.add(inputs[0].shape[1])

    hook = register_module_forward_pre_hook(note)
    try:
        chunked = own(generate(key, plan=small), task)
    finally:
        hook.remove()
    torch.testing.assert_close(chunked, whole, atol=1e-3, rtol=1e-3)
    assert max(lengths) == 7, "the plan's chunk is used"


def test_block_offload_changes_nothing(generate: Generate, work: Make) -> None:
    plain = generate("demo-t2v").done.latents_sha256
    plan = work("demo-t2v").plan.model_copy(update={"offload": "block"})
    assert generate("demo-t2v", plan=plan).done.latents_sha256 == plain
