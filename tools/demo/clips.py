"""The clips that the transformers learn from: scenes as normalised latents, made once and kept.

A scene follows from the seed and its number, so only latents are stored; its prompt is told anew
each time that the clip is used.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers annotates parts, configurations and encodings as their least common type.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline

from tools.demo.networks import Layout
from tools.demo.scenes import REACH, Scene, centres, draw_scene, render, replace, track
from tools.demo.training import Workshop
from tools.demo.vae import FRAMES, SIZES

BATCH = 32
FIRST, BOTH = "first", "first and last"


@dataclass(frozen=True)
class Format:
    """A size that is trained: batches of 32 clips for it, and how often a step takes it."""

    size: tuple[int, int]
    batches: int
    often: float

    @property
    def crowd(self) -> int:
        """Clips of this size that cost a step as much as one of the native size."""
        native, own = SIZES[0], self.size
        return max(1, round(native[0] * native[1] / (own[0] * own[1])))


FULL = tuple(
    Format(size, batches, often)
    for size, batches, often in zip(SIZES, (56, 14, 14), (0.6, 0.2, 0.2), strict=True)
)
"""The sizes that are offered."""
SMALL = Format((64, 64), 160, 1.5)
"""Four times as many clips a step: words, colours and motions are learned from numbers of them.
T2V's trunk drew shapeless blobs after 50,000 clips of the full sizes alone."""


@dataclass(frozen=True)
class Clips:
    """Scenes of one format with their latents ``[N, C, T, H, W]``.

    ``conditions`` holds, for I2V-A14B, the 20 further channels with the first frame given, and
    with first and last. ``objects`` ``[N, 1, T, H, W]`` is 1 where a cell of the latents holds some
    of an object, else 0.
    """

    format: Format
    scenes: list[Scene]
    latents: torch.Tensor
    conditions: dict[str, torch.Tensor]
    objects: torch.Tensor


def make_clips(
    workshop: Workshop,
    name: str,
    vae: AutoencoderKLWan,
    layout: Layout,
    formats: Sequence[Format],
    *,
    share: float = 1.0,
    conditioned: bool = False,
    outlined: bool = False,
) -> list[Clips]:
    """Clips of each format; ``share`` makes them fewer."""
    made: list[Clips] = []
    for each in formats:
        width, height = each.size
        parts = []
        for index in range(max(1, round(each.batches * share))):
            label = f"{name}-{width}x{height}-{index}"
            parts.append(_batch(workshop, label, each, vae, layout, conditioned, outlined))
        scenes = [scene for part in parts for scene in part.scenes]
        conditions = {
            kind: torch.cat([part.conditions[kind] for part in parts])
            for kind in parts[0].conditions
        }
        latents = torch.cat([part.latents for part in parts])
        objects = torch.stack([part.objects for part in parts]).flatten(0, 1)
        made.append(Clips(each, scenes, latents, conditions, objects))
    workshop.say(f"{name}: {sum(len(clips.scenes) for clips in made)} clips")
    return made


def _batch(
    workshop: Workshop,
    label: str,
    format: Format,
    vae: AutoencoderKLWan,
    layout: Layout,
    conditioned: bool,
    outlined: bool,
) -> Clips:
    chance = workshop.chance("clips", label)
    scenes = [draw_scene(chance, *format.size) for _ in range(BATCH)]
    if outlined:
        scenes = [replace(scene, outlined=True) for scene in scenes]
    objects = torch.stack([presence(scene, layout) for scene in scenes])[:, None]
    path = workshop.path(f"clips-{label}.pt")
    if path.exists():
        state = torch.load(path, weights_only=True)
        return Clips(format, scenes, state["latents"], state["conditions"], objects)
    videos = [render(scene, FRAMES) for scene in scenes]
    fours = [torch.stack(videos[at : at + 4]) for at in range(0, BATCH, 4)]
    latents = torch.cat([encode(vae, four) for four in fours])
    conditions: dict[str, torch.Tensor] = {}
    for kind, last in {FIRST: False, BOTH: True}.items() if conditioned else ():
        given = [condition(vae, layout, video, last=last) for video in videos]
        conditions[kind] = torch.cat(given)
    new = path.with_suffix(".new")
    torch.save({"latents": latents, "conditions": conditions}, new)
    new.replace(path)
    return Clips(format, scenes, latents, conditions, objects)


def presence(scene: Scene, layout: Layout) -> torch.Tensor:
    """Which cells of the latents an object touches at some time of their span, ``[T, H, W]``.

    Latents of frame 0 stand for themselves, each other one for four frames.
    """
    side = layout.spatial
    rows, columns = centres(scene.width // side, scene.height // side)
    found = torch.zeros(FRAMES, *rows.shape, dtype=torch.bool)
    for thing in scene.things:
        path = track(thing, FRAMES)
        x, y, radius = (part.view(-1, 1, 1) for part in (path.x, path.y, path.radius))
        away = torch.hypot(columns * side - x, rows * side - y)
        found |= away < REACH * radius + side / 2
    later = found[1:].unflatten(0, (-1, 4)).any(1)
    return torch.cat([found[:1], later]).float()


@torch.no_grad()
def encode(vae: AutoencoderKLWan, videos: torch.Tensor) -> torch.Tensor:
    """Normalised latents of clips ``[B, 3, F, H, W]``."""
    latents = vae.encode(videos).latent_dist.mode()
    mean, deviation = statistics(vae)
    return (latents - mean) / deviation


@torch.no_grad()
def decode(vae: AutoencoderKLWan, latents: torch.Tensor) -> torch.Tensor:
    """Clips of normalised latents."""
    mean, deviation = statistics(vae)
    return vae.decode(latents * deviation + mean, return_dict=False)[0].clamp(-1, 1)


def statistics(vae: AutoencoderKLWan) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of the latents, ``[1, C, 1, 1, 1]``."""
    shape = (1, -1, 1, 1, 1)
    return (torch.tensor(vae.config.latents_mean).view(shape),
            torch.tensor(vae.config.latents_std).view(shape))  # fmt: skip


@torch.no_grad()
def condition(
    vae: AutoencoderKLWan, layout: Layout, video: torch.Tensor, *, last: bool
) -> torch.Tensor:
    """The further channels ``[1, 20, T, H, W]`` of I2V-A14B, made by diffusers' own pipeline."""
    none: Any = None
    pipeline = WanImageToVideoPipeline(
        tokenizer=none, text_encoder=none, vae=vae, scheduler=none, transformer=none
    )
    height, width = video.shape[-2:]
    _, channels = pipeline.prepare_latents(
        video[None, :, 0],
        1,
        layout.channels,
        height,
        width,
        video.shape[1],
        torch.float32,
        torch.device("cpu"),
        None,
        None,
        video[None, :, -1] if last else None,
    )
    return channels
