"""How the layouts differ: what the transformer sees at each step, and what it starts from.

The arithmetic is that of diffusers' Wan pipelines, so that the latents are equal to the bit. Only
TI2V-5B's timesteps, one for each token there, are told by their one or two distinct values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers.utils.torch_utils import get_module_execution_device, randn_tensor
from PIL import Image

from wan22_app.domain.generation import Geometry
from wan22_app.engine.decode import statistics


class Task(Protocol):
    """One kind of conditioning. Latents are ``[1, C, T, H, W]`` in fp32, normalised."""

    @property
    def start(self) -> torch.Tensor:
        """The noise."""
        ...

    def model_input(self, latents: torch.Tensor) -> torch.Tensor:
        """What the transformer is given, before the cast to its type."""
        ...

    @property
    def given(self) -> int:
        """How many tokens at the start of the sequence are clean, at timestep 0."""
        ...

    def finish(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents to decode."""
        ...


@dataclass(frozen=True)
class FromText:
    """Text only."""

    start: torch.Tensor
    given = 0

    def model_input(self, latents: torch.Tensor) -> torch.Tensor:
        return latents

    def finish(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


@dataclass(frozen=True)
class FromImageChannels:
    """A14B: the encoded first frame and its mask are further input channels."""

    start: torch.Tensor
    condition: torch.Tensor
    given = 0

    def model_input(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.cat([latents, self.condition], dim=1)

    def finish(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


@dataclass(frozen=True)
class FromImageFrame:
    """TI2V-5B: the first latent frames are the pictures themselves, at timestep 0, at every step.

    ``given`` is counted from shapes: asking the mask at each forward would wait for the card.
    """

    start: torch.Tensor
    condition: torch.Tensor
    mask: torch.Tensor
    given: int

    def model_input(self, latents: torch.Tensor) -> torch.Tensor:
        return (1 - self.mask) * self.condition + self.mask * latents

    def finish(self, latents: torch.Tensor) -> torch.Tensor:
        return self.model_input(latents)


def timesteps(task: Task, t: torch.Tensor) -> torch.Tensor:
    """The distinct timesteps of a step: ``[1]``, or ``[2]`` where tokens are given."""
    return torch.stack([torch.zeros_like(t), t]) if task.given else t.expand(1)


def from_text(
    pipeline: Any, made: Geometry, device: torch.device, generator: torch.Generator
) -> Task:
    """Draw the noise of a text-to-video run."""
    return FromText(_noise(pipeline, made, device, generator))


def _noise(
    pipeline: Any, made: Geometry, device: torch.device, generator: torch.Generator
) -> torch.Tensor:
    space, time = pipeline.vae_scale_factor_spatial, pipeline.vae_scale_factor_temporal
    frames = (made.frames - 1) // time + 1
    shape = (1, pipeline.vae.config.z_dim, frames, made.height // space, made.width // space)
    return randn_tensor(shape, generator=generator, device=device, dtype=torch.float32)


def from_pictures(
    pipeline: Any,
    first: Sequence[Image.Image],
    made: Geometry,
    device: torch.device,
    generator: torch.Generator,
    last: Image.Image | None = None,
) -> Task:
    """Encode the frames at the start (4k + 1), and the last one where it is given, and draw the
    noise."""
    noise = _noise(pipeline, made, device, generator)
    begin = torch.stack([_pixels(pipeline, picture, made, device) for picture in first], dim=2)
    if pipeline.config.expand_timesteps:
        condition = _encoded(pipeline.vae, begin, noise)
        return _at_the_start(noise, condition)
    end = begin[:, :, :0] if last is None else _pixels(pipeline, last, made, device)[:, :, None]
    grey = begin.new_zeros(1, 3, made.frames - begin.shape[2] - end.shape[2], *begin.shape[3:])
    condition = _encoded(pipeline.vae, torch.cat([begin, grey, end], dim=2), noise)
    mask = _mask(noise, made.frames, begin.shape[2], end.shape[2], pipeline)
    return FromImageChannels(noise, torch.cat([mask.to(device), condition], dim=1))


def _pixels(
    pipeline: Any, picture: Image.Image, made: Geometry, device: torch.device
) -> torch.Tensor:
    seen = pipeline.video_processor.preprocess(picture, height=made.height, width=made.width)
    return seen.to(device, dtype=torch.float32)


def _encoded(vae: Any, video: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Normalised latents of a video ``[1, 3, F, H, W]``, of the noise's type and on its device."""
    video = video.to(device=get_module_execution_device(vae), dtype=vae.dtype)
    latents = vae.encode(video).latent_dist.mode().to(device=noise.device, dtype=noise.dtype)
    mean, scale = statistics(vae, noise)
    return (latents - mean) * scale


def _at_the_start(noise: torch.Tensor, condition: torch.Tensor) -> FromImageFrame:
    mask = torch.ones_like(noise[:, :1])
    mask[:, :, : condition.shape[2]] = 0
    given = condition[0, 0, :, ::2, ::2].numel()
    rest = torch.zeros_like(noise[:, :, condition.shape[2] :])
    return FromImageFrame(noise, torch.cat([condition, rest], dim=2), mask, given)


def _mask(noise: torch.Tensor, frames: int, first: int, last: int, pipeline: Any) -> torch.Tensor:
    """Which frames are given, four to a latent frame: the first of all counts for four."""
    given = torch.zeros(1, 1, frames, *noise.shape[3:])
    given[:, :, :first] = 1
    given[:, :, frames - last :] = 1
    ratio = pipeline.vae_scale_factor_temporal
    given = torch.cat([given[:, :, :1].repeat_interleave(ratio, dim=2), given[:, :, 1:]], dim=2)
    return given.view(1, -1, ratio, *noise.shape[3:]).transpose(1, 2)
