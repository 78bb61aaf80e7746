"""Put a pipeline where its plan says."""

from typing import Any

import torch
from diffusers.hooks import apply_group_offloading

from wan22_app.domain.memory import MemoryPlan

MOST_OVERLAP = 64
"""A tile overlaps its neighbour by a quarter, and by 64 pixels at most: at diffusers' own default
of 256 that is its stride of 192, and a larger tile has no wider seams to hide."""


def place(pipeline: Any, plan: MemoryPlan) -> None:
    """Move or offload transformers and VAE, once after loading."""
    device = torch.device(plan.device)
    if plan.offload == "model" and device.type != "cpu":
        pipeline.enable_model_cpu_offload(device=device)
    elif plan.offload == "block":
        _offload_blocks(pipeline, device)
    else:
        pipeline.to(device)


def place_encoder(encoder: Any, plan: MemoryPlan) -> None:
    """Put the text encoder where it waits for texts; with model offload that is main memory."""
    device = torch.device(plan.device)
    if plan.offload == "block":
        apply_group_offloading(
            encoder,
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=device.type == "cuda",
        )
    elif plan.offload == "none":
        encoder.to(device)


def _offload_blocks(pipeline: Any, device: torch.device) -> None:
    """Transformer blocks visit the device; the VAE lives there."""
    streams = device.type == "cuda"
    for transformer in (pipeline.transformer, pipeline.transformer_2):
        if transformer is not None:
            transformer.enable_group_offload(
                onload_device=device,
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=streams,
                record_stream=streams,
            )
    pipeline.vae.to(device)


def tile_vae(vae: Any, tile: int | None) -> None:
    """Decode in tiles of this many pixels, or in one piece."""
    if tile is None:
        vae.disable_tiling()
        return
    stride = tile - min(tile // 4, MOST_OVERLAP)
    vae.enable_tiling(
        tile_sample_min_height=tile,
        tile_sample_min_width=tile,
        tile_sample_stride_height=stride,
        tile_sample_stride_width=stride,
    )
