"""Our loop's latents equal those of the stock diffusers pipeline, to the bit."""

from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
)

from tests.engine.conftest import Generate, Make
from wan22_app.domain.generation import geometry
from wan22_app.domain.work import Work
from wan22_app.engine.engine import latents_sha256
from wan22_app.engine.picture import fitted

CASES = [
    ("demo-t2v", False),
    ("demo-i2v", True),
    ("demo-ti2v", False),
    ("demo-ti2v", True),
]


def stock(work: Work, dtype: torch.dtype) -> str:
    """Hash of the latents of diffusers' own call."""
    request, spec = work.request, work.entry.spec
    folder = Path(work.entry.folder)
    vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32)
    kind = WanImageToVideoPipeline if work.image else WanPipeline
    pipeline = kind.from_pretrained(folder, vae=vae, torch_dtype=dtype, local_files_only=True)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=request.shift
    )
    pipeline.set_progress_bar_config(disable=True)
    made = geometry(spec, request)
    latents = pipeline(
        **({"image": fitted(work.image, made)} if work.image else {}),
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
    return latents_sha256(latents)


@pytest.mark.parametrize(("key", "image"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_latents_equal_stock(
    generate: Generate, work: Make, key: str, image: bool, precision: str
) -> None:
    options = {"image": image, "precision": precision, "negative_prompt": "blurry"}
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    expected = stock(work(key, **options), dtype)
    assert generate(key, **options).done.latents_sha256 == expected


def test_without_guidance_they_are_equal_too(generate: Generate, work: Make) -> None:
    options = {"guidance": 1.0}
    assert generate("demo-t2v", **options).done.latents_sha256 == stock(
        work("demo-t2v", **options), torch.float32
    )


def test_block_offload_changes_nothing(generate: Generate, work: Make) -> None:
    plain = generate("demo-t2v").done.latents_sha256
    plan = work("demo-t2v").plan.model_copy(update={"offload": "block"})
    assert generate("demo-t2v", plan=plan).done.latents_sha256 == plain
