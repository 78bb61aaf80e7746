"""From latents to pictures."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from wan22_app.domain.generation import Geometry

Frame = np.ndarray[Any, np.dtype[np.uint8]]


def decode(vae: Any, latents: torch.Tensor, on_call: Callable[[], None]) -> torch.Tensor:
    """Pixels ``[3, F, H, W]`` in -1..1; ``on_call`` runs after each call of the decoder."""
    latents = latents.to(device=vae.device, dtype=vae.dtype)
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(latents.device, latents.dtype)
    std = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(latents.device, latents.dtype)
    handle = vae.decoder.register_forward_hook(lambda *_: on_call())
    try:
        return vae.decode(latents / std + mean, return_dict=False)[0][0]
    finally:
        handle.remove()


def frames(pixels: torch.Tensor, made: Geometry) -> Iterator[Frame]:
    """The kept frames, cropped around the centre, as uint8 RGB ``[H, W, 3]``."""
    rows = slice(made.top, made.top + made.crop_height)
    columns = slice(made.left, made.left + made.crop_width)
    for index in range(made.keep_frames):
        picture = pixels[:, index, rows, columns].float()
        scaled = (picture / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        yield np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())
