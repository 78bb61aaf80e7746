"""How the layouts differ: what the transformer sees at each step, and what it starts from.

The arithmetic is that of diffusers' Wan pipelines, so that the latents are equal to the bit. Only
TI2V-5B's timesteps, one for each token there, are told by their one or two distinct values.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image

from wan22_app.domain.generation import Geometry


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
    """TI2V-5B: the first latent frame is the image itself, at timestep 0, at every step."""

    start: torch.Tensor
    condition: torch.Tensor
    mask: torch.Tensor

    @property
    def given(self) -> int:
        return self.mask[0, 0, 0, ::2, ::2].numel()

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
    channels = pipeline.vae.config.z_dim
    start = pipeline.prepare_latents(
        1, channels, made.height, made.width, made.frames, torch.float32, device, generator, None
    )
    return FromText(start)


def from_image(
    pipeline: Any,
    image: Image.Image,
    made: Geometry,
    device: torch.device,
    generator: torch.Generator,
    last: Image.Image | None = None,
) -> Task:
    """Encode the start image, and the last one where it is given, and draw the noise."""

    def pixels(picture: Image.Image) -> torch.Tensor:
        processor = pipeline.video_processor
        seen = processor.preprocess(picture, height=made.height, width=made.width)
        return seen.to(device, dtype=torch.float32)

    prepared = pipeline.prepare_latents(
        pixels(image),
        1,
        pipeline.vae.config.z_dim,
        made.height,
        made.width,
        made.frames,
        torch.float32,
        device,
        generator,
        None,
        None if last is None else pixels(last),
    )
    if pipeline.config.expand_timesteps:
        return FromImageFrame(*prepared)
    return FromImageChannels(*prepared)
