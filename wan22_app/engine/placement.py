"""Put a pipeline where its plan says."""

import contextlib
import ctypes
import gc
import sys
from typing import Any

import torch
from accelerate import cpu_offload_with_hook
from diffusers.hooks import apply_group_offloading

from wan22_app.domain.footprint import overlap
from wan22_app.domain.plan import MemoryPlan


def place(pipeline: Any, plan: MemoryPlan) -> None:
    """Give a pipeline whose parts are placed the hooks that it needs, once after loading."""
    if visits(plan):
        pipeline.enable_model_cpu_offload(device=torch.device(plan.device))


def visits(plan: MemoryPlan) -> bool:
    """Whether whole parts lie in main memory and come to the device for their work alone."""
    return plan.offload == "model" and plan.device != "cpu"


def place_transformer(transformer: Any, plan: MemoryPlan) -> None:
    """Right after loading, so that main memory never holds what belongs on the card."""
    device = torch.device(plan.device)
    if plan.offload == "block":
        # Quantized tensors on a stream of their own have been reported to break (diffusers #13281,
        # #14112), and we have had no card to try them on.
        streams = device.type == "cuda" and getattr(transformer, "hf_quantizer", None) is None
        transformer.enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=streams,
            record_stream=streams,
        )
    elif not visits(plan) or plan.keep == "one":
        # One that is alone stays until the next comes: nobody else needs its place.
        transformer.to(device)


def place_vae(vae: Any, plan: MemoryPlan) -> None:
    """It lives on the device, or comes there to encode and to decode.

    TI2V-5B's is as large as eight blocks, which is what small cards lack while they denoise.
    """
    device = torch.device(plan.device)
    if plan.offload == "block":
        cpu_offload_with_hook(vae, device)
    elif not visits(plan):
        vae.to(device)


def send_home(vae: Any) -> None:
    """What only visits the device leaves it. By itself it would stay beside the transformer: model
    offload sends away what comes before a part in diffusers' order, and the VAE is its last."""
    hook = getattr(vae, "_hf_hook", None)
    if hook is not None:
        hook.init_hook(vae)


def all_home(pipeline: Any) -> None:
    """Nothing that only visits is left on the device."""
    pipeline.maybe_free_model_hooks()
    send_home(pipeline.vae)


def place_encoder(encoder: Any, plan: MemoryPlan) -> None:
    """Put the text encoder where it waits for texts; with model offload that is main memory."""
    device = torch.device(plan.device)
    if plan.offload == "block":
        apply_group_offloading(
            encoder,
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=device.type == "cuda" and plan.text_quantization == "none",
        )
    elif not visits(plan):
        encoder.to(device)


def give_back() -> None:
    """What nobody holds any more goes back to the card and to the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        # glibc keeps freed blocks for later; after a few runs they were as much as a run needs.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def tile_vae(vae: Any, tile: int | None) -> None:
    """Decode in tiles of this many pixels, or in one piece."""
    if tile is None:
        vae.disable_tiling()
        return
    stride = tile - overlap(tile)
    vae.enable_tiling(
        tile_sample_min_height=tile,
        tile_sample_min_width=tile,
        tile_sample_stride_height=stride,
        tile_sample_stride_width=stride,
    )
