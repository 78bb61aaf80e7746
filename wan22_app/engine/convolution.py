"""A VAE's convolutions on a CPU, by oneDNN wherever it is there.

PyTorch asks oneDNN for a single sample only where its first four sides multiply to more than
20,480: a rule for pictures, which leaves a video's width out. What a small VAE decodes falls below
it and into a kernel that takes some ten times as long, and 27 times the input's memory.
"""

from types import MethodType

import torch
from torch import nn


def quicken(vae: nn.Module) -> None:
    """Let oneDNN compute every 3D convolution in fp32 on a CPU; others stay as they are."""
    if not torch.backends.mkldnn.is_available():
        return
    for module in vae.modules():
        if isinstance(module, nn.Conv3d):
            # On the instance: diffusers' causal convolutions pad for themselves, then call this.
            module._conv_forward = MethodType(_forward, module)


def _forward(
    conv: nn.Conv3d, video: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if not (video.is_cpu and video.dtype is weight.dtype is torch.float32):
        return nn.Conv3d._conv_forward(conv, video, weight, bias)
    return torch.mkldnn_convolution(
        video, weight, bias, conv.padding, conv.stride, conv.dilation, conv.groups
    )
