"""Streamed decoding gives the pictures of stock's, in less memory."""

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from torch.profiler import ProfilerActivity, profile

from tests.engine import peaks
from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V, ModelSpec
from wan22_app.domain.generation import GenerationRequest, Geometry, geometry
from wan22_app.engine.decode import Frame, decode, decoder_calls
from wan22_app.engine.placement import tile_vae
from wan22_app.engine.quicken import quicken

FRAMES = 9
CASES = [
    pytest.param(spec, size, tile, id=f"{spec.key} {size} {tile}")
    for spec in (DEMO_T2V, DEMO_TI2V)
    for size in ((128, 96), (90, 130))
    for tile in (None, 96, 64)
]


def load(models: Path, spec: ModelSpec) -> Any:
    folder = models / "demo" / spec.task
    vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32)
    quicken(vae)
    return vae


def made_of(spec: ModelSpec, width: int, height: int, frames: int = FRAMES) -> Geometry:
    fields = {"prompt": "x", "width": width, "height": height, "frames": frames}
    return geometry(spec, GenerationRequest.build(spec, fields, 1))


def latents_of(vae: Any, spec: ModelSpec, made: Geometry) -> torch.Tensor:
    torch.manual_seed(5)
    sides = made.height // spec.spatial, made.width // spec.spatial
    return torch.randn(1, vae.config.z_dim, (made.frames - 1) // 4 + 1, *sides)


def stock(vae: Any, latents: torch.Tensor, made: Geometry) -> list[Frame]:
    """diffusers' own decode, rounded and cropped as its export does."""
    shape = (1, -1, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(vae.dtype)
    deviation = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(vae.dtype)
    latents = latents.to(vae.dtype) / deviation + mean
    pixels = vae.decode(latents, return_dict=False)[0][0].float()
    scaled = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    whole = scaled.permute(1, 2, 3, 0).numpy()[: made.keep_frames]
    down, across = slice(made.top, made.top + made.crop_height), slice(
        made.left, made.left + made.crop_width
    )  # fmt: skip
    return list(whole[:, down, across])


@pytest.mark.parametrize(("spec", "size", "tile"), CASES)
@torch.no_grad()
def test_the_pictures_are_stocks_to_the_byte(
    demo_models: Path, spec: ModelSpec, size: tuple[int, int], tile: int | None
) -> None:
    vae, made = load(demo_models, spec), made_of(spec, *size)
    latents, calls = latents_of(vae, spec, made), list[None]()
    tile_vae(vae, tile)
    expected = stock(vae, latents, made)
    found = list(decode(vae, latents, made, lambda: calls.append(None)))
    assert len(found) == len(expected) == FRAMES
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert len(calls) == decoder_calls(vae, latents)
    assert (len(calls) > 3) == (tile is not None)
    assert np.std(found) > 5, "there is something to see"


@pytest.mark.parametrize("spec", [DEMO_T2V, DEMO_TI2V])
@torch.no_grad()
def test_quicker_kernels_give_the_same_up_to_rounding(demo_models: Path, spec: ModelSpec) -> None:
    made, quick = made_of(spec, 96, 64), load(demo_models, spec)
    plain, latents = copy.deepcopy(quick), latents_of(quick, spec, made)
    for module in plain.modules():
        vars(module).pop("_conv_forward", None)
        vars(module).pop("forward", None)
    with profile(activities=[ProfilerActivity.CPU]) as taken:
        found = np.stack(list(decode(quick, latents, made, lambda: None))).astype(int)
    kernels = {event.name for event in taken.events() or ()}
    assert "aten::mkldnn_convolution" in kernels
    assert not kernels & {"aten::slow_conv3d_forward", "aten::linalg_vector_norm"}
    expected = np.stack(list(decode(plain, latents, made, lambda: None)))
    assert np.abs(found - expected).max() <= 1
    video = torch.rand(1, 3, FRAMES, 64, 96) * 2 - 1
    exact = plain.encode(video).latent_dist.mode()
    torch.testing.assert_close(quick.encode(video).latent_dist.mode(), exact, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("spec", [DEMO_T2V, DEMO_TI2V])
@pytest.mark.parametrize("tile", [None, 64])
@torch.no_grad()
def test_a_decoder_in_bf16_draws_what_stock_draws_in_bf16(
    demo_models: Path, spec: ModelSpec, tile: int | None
) -> None:
    made = made_of(spec, 96, 64, frames=5)  # Few: many processors have no kernel for bf16.
    whole, half = load(demo_models, spec), load(demo_models, spec)
    latents = latents_of(whole, spec, made)
    half.decoder.to(torch.bfloat16)
    half.post_quant_conv.to(torch.bfloat16)
    for vae in (whole, half):
        tile_vae(vae, tile)
    found = np.stack(list(decode(half, latents, made, lambda: None))).astype(int)
    exact = np.stack(list(decode(whole, latents, made, lambda: None))).astype(int)
    expected = np.stack(stock(whole.to(torch.bfloat16), latents, made)).astype(int)
    assert np.array_equal(found, expected)
    assert 0 < np.abs(found - exact).mean() < 2


@torch.no_grad()
def test_without_tiles_frames_come_one_latent_frame_after_the_other(demo_models: Path) -> None:
    vae, made = load(demo_models, DEMO_T2V), made_of(DEMO_T2V, 64, 64)
    latents, calls = latents_of(vae, DEMO_T2V, made), list[None]()
    tile_vae(vae, None)
    before = [len(calls) for _ in decode(vae, latents, made, lambda: calls.append(None))]
    assert before == [0, 1, 1, 1, 1, 2, 2, 2, 2], "the encoder starts before the decoder has ended"


@pytest.mark.parametrize("tile", [None, 64])
@torch.no_grad()
def test_one_that_was_stopped_leaves_the_vae_as_it_was(demo_models: Path, tile: int | None) -> None:
    vae, made = load(demo_models, DEMO_TI2V), made_of(DEMO_TI2V, 128, 96)
    latents = latents_of(vae, DEMO_TI2V, made)
    tile_vae(vae, tile)
    whole = list(decode(vae, latents, made, lambda: None))

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(decode(vae, latents, made, stop))
    assert np.array_equal(list(decode(vae, latents, made, lambda: None)), whole)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_tiles_leave_no_more_than_bytes_behind() -> None:
    """Stock has every tile and the whole result in fp32 at once."""
    saved = peaks.of("decode-stock") - peaks.of("decode-ours")
    width, height, frames = peaks.VIDEO
    assert saved > 1.5 * width * height * frames * 3 * 4, f"{saved / 1e6:.0f} MB"
