"""The 5B layout's 48 channels from the A14B layouts' 16.

A cell of the 5B layout is twice as long and as wide, so a scene drawn twice as large falls into its
cells as into those of A14B. Its latents are those of A14B, turned into 48 channels by a matrix with
orthonormal columns: the toy uses 16 of their 48 dimensions. T2V's transformer fits them after its
first and last layer are turned likewise, and noise stays noise.

Trained on latents of its own, at 128x128, where an object is two or three cells wide, it got shapes
right by chance only.
"""

# pyright: reportAttributeAccessIssue=false
# diffusers annotates configurations and parts as their least common type.

from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch import nn

from tools.demo.networks import A14B, FIVE_B, channels_last, statistics


def turn() -> torch.Tensor:
    """The matrix, ``[48, 16]``; always the same."""
    chance = torch.Generator().manual_seed(5)
    drawn = torch.randn(FIVE_B.channels, A14B.channels, generator=chance, dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.float()


def turned(latents: torch.Tensor) -> torch.Tensor:
    """Latents ``[B, 48, T, H, W]`` of A14B's normalised ones ``[B, 16, T, H, W]``."""
    return torch.einsum("oc,bcthw->bothw", turn().to(latents.device), latents)


def lifted(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """A transformer for 48 channels that does what this one does for 16.

    Of the other 32 dimensions it predicts nothing; the VAE doesn't look at them.
    """
    told = {name: value for name, value in transformer.config.items() if not name.startswith("_")}
    channels = FIVE_B.channels
    made: Any = WanTransformer3DModel.from_config(
        {**told, "in_channels": channels, "out_channels": channels}
    )
    state: dict[str, Any] = transformer.state_dict()
    matrix = turn().to(transformer.device)
    patches = torch.einsum("oc,wcthp->wothp", matrix, state["patch_embedding.weight"])
    out = {}
    for part in ("weight", "bias"):
        # Channels are innermost in a token that comes out.
        values = state[f"proj_out.{part}"].unflatten(0, (-1, A14B.channels))
        out[f"proj_out.{part}"] = torch.einsum("oc,pc...->po...", matrix, values).flatten(0, 1)
    made.load_state_dict({**state, "patch_embedding.weight": patches, **out})
    return made


def only_turned(vae: AutoencoderKLWan) -> None:
    """What leaves the encoder, and what enters the decoder, has no part in the other dimensions."""
    matrix = turn()
    keep = matrix @ matrix.T
    convs: tuple[Any, ...] = (vae.quant_conv, vae.post_quant_conv)
    for conv in convs:
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
        conv.weight.data[: FIVE_B.channels, : FIVE_B.channels, 0, 0, 0] = keep
        conv.requires_grad_(False)
    vae.register_to_config(
        latents_mean=[0.0] * FIVE_B.channels, latents_std=[1.0] * FIVE_B.channels
    )
    channels_last(vae)


@torch.no_grad()
def targets(vae: AutoencoderKLWan, videos: torch.Tensor) -> torch.Tensor:
    """Latents ``[B, 48, T, H, W]`` of scenes twice as large, from A14B's VAE and clips."""
    mean, deviation = statistics(vae)
    return turned((vae.encode(videos.to(vae.device)).latent_dist.mode() - mean) / deviation)
