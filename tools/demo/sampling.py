"""Videos from the demo models, by diffusers' own pipelines, several at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import WanImageToVideoPipeline, WanPipeline
from numpy.typing import NDArray
from PIL import Image

from tools.demo.networks import TEXT_LENGTH
from tools.demo.vae import FRAMES

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How a video is sampled; the demo entries' own defaults."""

    steps: int = 16
    guidance: float = 3.0
    width: int = 128
    height: int = 128
    negative: str = ""


def sample(
    pipeline: WanPipeline, prompts: Sequence[str], seeds: Sequence[int], settings: Settings
) -> list[Pixels]:
    """Frames ``[F, H, W, 3]`` in 0..1 for each prompt with its seed."""
    return list(_call(pipeline, settings, prompt=list(prompts), generator=_noise(seeds),
                      negative_prompt=[settings.negative] * len(prompts)))  # fmt: skip


def sample_from(
    pipeline: WanImageToVideoPipeline,
    prompt: str,
    seed: int,
    settings: Settings,
    first: Pixels,
    last: Pixels | None = None,
) -> Pixels:
    """One video that goes on from a picture ``[H, W, 3]`` in 0..1, to another if there is one."""
    more: dict[str, Any] = {} if last is None else {"last_image": picture(last)}
    return _call(pipeline, settings, prompt=prompt, generator=_noise([seed]), image=picture(first),
                 negative_prompt=settings.negative, **more)[0]  # fmt: skip


def picture(frame: Pixels) -> Image.Image:
    """A frame as a person would give it."""
    return Image.fromarray((frame * 255).round().astype(np.uint8))


def _noise(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


@torch.no_grad()
def _call(pipeline: Any, settings: Settings, **more: Any) -> NDArray[np.float32]:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        width=settings.width,
        height=settings.height,
        num_frames=FRAMES,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        max_sequence_length=TEXT_LENGTH,
        output_type="np",
        **more,
    ).frames
