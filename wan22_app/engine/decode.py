"""From latents to pictures, with one tile or one moment of the video on the device at a time.

Stock diffusers keeps all tiles, or all frames, in fp32 beside the decoder's working set. Here what
is final becomes bytes at once: without tiles the frames of a latent frame leave the device before
the next one is decoded, with tiles a row of them. The bytes are those of stock's result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from wan22_app.domain.generation import Geometry

Frame = np.ndarray[Any, np.dtype[np.uint8]]
Frames = np.ndarray[Any, np.dtype[np.uint8]]
"""``[F, H, W, 3]``."""
OnCall = Callable[[], None]


@dataclass(frozen=True)
class Grid:
    """Where tiles begin, in latent cells: ``height`` by ``width`` each, or cut by the edge."""

    tops: range
    lefts: range
    height: int
    width: int

    @classmethod
    def of(cls, vae: Any, latents: torch.Tensor) -> "Grid":
        """The tiles that diffusers would make; one where nothing is to be tiled."""
        _, _, _, rows, columns = latents.shape
        ratio = vae.spatial_compression_ratio
        height, width = vae.tile_sample_min_height // ratio, vae.tile_sample_min_width // ratio
        if not (vae.use_tiling and (rows > height or columns > width)):
            return cls(range(1), range(1), rows, columns)
        down, across = vae.tile_sample_stride_height // ratio, vae.tile_sample_stride_width // ratio
        return cls(range(0, rows, down), range(0, columns, across), height, width)

    @property
    def tiles(self) -> int:
        """How many there are."""
        return len(self.tops) * len(self.lefts)


def decoder_calls(vae: Any, latents: torch.Tensor) -> int:
    """How often a decode runs the decoder: once for each tile and latent frame."""
    return latents.shape[2] * Grid.of(vae, latents).tiles


def decode(vae: Any, latents: torch.Tensor, made: Geometry, on_call: OnCall) -> Iterator[Frame]:
    """The kept frames in order, cropped around the centre, as uint8 RGB ``[H, W, 3]``.

    ``on_call`` runs after each call of the decoder; it may raise to stop.
    """
    latents = _denormalised(_brought(vae), latents)
    grid, patch = Grid.of(vae, latents), vae.config.patch_size or 1
    batches = (
        (_bytes(part, patch) for part in moments(vae, latents, on_call))
        if grid.tiles == 1
        else [_from_tiles(vae, latents, grid, on_call)]
    )
    rows = slice(made.top, made.top + made.crop_height)
    columns = slice(made.left, made.left + made.crop_width)
    left = made.keep_frames
    try:
        for batch in batches:
            for picture in batch[:left]:
                yield np.ascontiguousarray(picture[rows, columns])
            left -= min(left, len(batch))
    finally:
        vae.clear_cache()


def _brought(vae: Any) -> Any:
    """The VAE on its device: offload moves it when it is called by its usual name, or here."""
    hook = getattr(vae, "_hf_hook", None)
    if hook is not None:
        hook.pre_forward(vae)
    return vae


def _denormalised(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    # The decoder's own type: the encoder keeps fp32 whatever the plan says.
    latents = latents.to(device=vae.device, dtype=vae.post_quant_conv.weight.dtype)
    mean, scale = statistics(vae, latents)
    return latents / scale + mean


def statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and scale that latents are normalised with, each ``[1, C, 1, 1, 1]``, of a tensor's type
    and on its device: ``(x - mean) * scale``."""
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(like.device, like.dtype)
    scale = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(like.device, like.dtype)
    return mean, scale


def moments(vae: Any, latents: torch.Tensor, on_call: OnCall) -> Iterator[torch.Tensor]:
    """The decoder's output for one latent frame after the other, ``[1, C, f, H, W]``."""
    vae.clear_cache()
    for index in range(latents.shape[2]):
        vae._conv_idx = [0]
        yield vae.decoder(
            vae.post_quant_conv(latents[:, :, index : index + 1]),
            feat_cache=vae._feat_map,
            feat_idx=vae._conv_idx,
            first_chunk=index == 0,
        )
        on_call()


def _from_tiles(vae: Any, latents: torch.Tensor, grid: Grid, on_call: OnCall) -> Frames:
    """All frames, row of tiles by row of tiles. Blended on the CPU as diffusers does it."""
    patch = vae.config.patch_size or 1
    across = vae.tile_sample_stride_width // patch
    down = vae.tile_sample_stride_height // patch
    blend_v = vae.tile_sample_min_height // patch - down
    blend_h = vae.tile_sample_min_width // patch - across
    ratio = vae.spatial_compression_ratio
    height, width = latents.shape[3] * ratio, latents.shape[4] * ratio
    video: Frames | None = None
    above: list[torch.Tensor] = []
    for index, top in enumerate(grid.tops):
        row: list[torch.Tensor] = []
        for column, left in enumerate(grid.lefts):
            part = latents[:, :, :, top : top + grid.height, left : left + grid.width]
            tile = torch.cat([one.cpu() for one in moments(vae, part, on_call)], dim=2)
            if above:
                tile = vae.blend_v(above[column], tile, blend_v)
            if row:
                tile = vae.blend_h(row[-1], tile, blend_h)
            row.append(tile)
        strip = _bytes(torch.cat([tile[..., :down, :across] for tile in row], dim=-1), patch)
        if video is None:
            video = np.empty((len(strip), height, width, 3), np.uint8)
        place = video[:, index * down * patch :]
        place[:, : strip.shape[1]] = strip[:, : place.shape[1], :width]
        above = row
    assert video is not None, "there is at least one row"
    return video


def _bytes(part: torch.Tensor, patch: int) -> Frames:
    """The decoder's output as pictures; made on the device, for a quarter of the way to the CPU."""
    pixels = unpatchify(part, patch_size=patch)[0].clamp(-1, 1).float()
    scaled = (pixels / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return scaled.permute(1, 2, 3, 0).cpu().numpy()
