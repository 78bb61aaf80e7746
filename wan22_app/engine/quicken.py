"""A VAE's work in fp32 on a CPU, with the kernels that PyTorch has but does not choose.

Convolutions: oneDNN is asked for a single sample only where the first four sides of the input
multiply to more than 20,480, a rule for pictures that leaves a video's width out. What a small VAE
decodes falls below it, into a kernel that takes ten times as long and 27 times the input's memory.

Norms: the length of a vector over channels that do not lie side by side is summed number by number;
squared, summed and rooted one after the other it takes a fifth of the time.

The numbers are the same up to rounding.
"""

from types import MethodType

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm
from torch import nn

EPSILON = 1e-12
"""The least length, as ``torch.nn.functional.normalize`` has it."""


def quicken(vae: nn.Module) -> None:
    """Give this VAE those kernels wherever its work is in fp32 on a CPU; else nothing changes."""
    for module in vae.modules():
        if isinstance(module, nn.Conv3d) and torch.backends.mkldnn.is_available():
            # On the instance: diffusers' causal convolutions pad for themselves, then call this.
            module._conv_forward = MethodType(_convolved, module)
        elif isinstance(module, WanRMS_norm) and module.channel_first:
            module.forward = MethodType(_normed, module)


def _convolved(
    conv: nn.Conv3d, video: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if isinstance(conv.padding, str) or not _fp32_on_cpu(video, weight):
        return nn.Conv3d._conv_forward(conv, video, weight, bias)
    return torch.mkldnn_convolution(
        video, weight, bias, conv.padding, conv.stride, conv.dilation, conv.groups
    )


def _normed(norm: WanRMS_norm, video: torch.Tensor) -> torch.Tensor:
    if not _fp32_on_cpu(video, norm.gamma):
        return WanRMS_norm.forward(norm, video)
    length = video.square().sum(dim=1, keepdim=True).sqrt().clamp(min=EPSILON)
    return video / length * norm.scale * norm.gamma + norm.bias


def _fp32_on_cpu(video: torch.Tensor, weight: torch.Tensor) -> bool:
    return video.is_cpu and video.dtype is weight.dtype is torch.float32
