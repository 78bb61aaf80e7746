"""The clips that the transformers learn from: scenes as normalised latents, made once and kept.

A scene follows from the seed and its number, so only latents are stored.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers annotates parts, configurations and encodings as their least common type.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline

from tools.demo.networks import Layout, statistics
from tools.demo.scenes import REACH, Scene, centres, draw_scene, render, replace, track
from tools.demo.training import Workshop
from tools.demo.vae import FRAMES, SIZES

BATCH = 32
FIRST, BOTH = "first", "first and last"
LATENTS = "latents"


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
    for size, batches, often in zip(SIZES, (224, 56, 56), (0.6, 0.2, 0.2), strict=True)
)
"""The sizes that are offered."""
SMALL = Format((64, 64), 160, 1.5)
"""Four times as many clips a step: words, colours and motions are learned from numbers of them.
T2V's trunk drew shapeless blobs after 50,000 clips of the full sizes alone."""


@dataclass(frozen=True)
class Clips:
    """Scenes of one size as a transformer sees them.

    ``layers`` are ``[N, C, T, H, W]``: normalised latents and, for I2V-A14B, the 20 further
    channels with the first frame given, and with first and last. ``objects`` ``[N, 1, T, H, W]`` is
    1 where a cell of the latents holds some of an object, else 0.
    """

    scenes: list[Scene]
    layers: dict[str, torch.Tensor]
    objects: torch.Tensor

    def to(self, device: torch.device) -> "Clips":
        """The same on another device."""
        layers = {kind: layer.to(device) for kind, layer in self.layers.items()}
        return Clips(self.scenes, layers, self.objects.to(device))


def make_clips(
    workshop: Workshop,
    name: str,
    vae: AutoencoderKLWan,
    layout: Layout,
    format: Format,
    *,
    conditioned: bool = False,
    outlined: bool = False,
) -> Clips:
    """The clips of a format, read where they were made before."""
    scenes: list[Scene] = []
    parts: list[dict[str, torch.Tensor]] = []
    for index in range(format.batches):
        label = f"{name}-{format.size[0]}x{format.size[1]}-{index}"
        chance = workshop.chance("clips", label)
        drawn = [draw_scene(chance, *format.size) for _ in range(BATCH)]
        if outlined:
            drawn = [replace(scene, outlined=True) for scene in drawn]
        path = workshop.path(f"clips-{label}.pt")
        if not path.exists():
            new = path.with_suffix(".new")
            torch.save(layers_of(vae, layout, drawn, conditioned=conditioned), new)
            new.replace(path)
        scenes += drawn
        parts.append(torch.load(path, weights_only=True))
    layers = {kind: torch.cat([part[kind] for part in parts]) for kind in parts[0]}
    return Clips(scenes, layers, objects_of(scenes, layout))


def layers_of(
    vae: AutoencoderKLWan, layout: Layout, scenes: Sequence[Scene], *, conditioned: bool
) -> dict[str, torch.Tensor]:
    """What a transformer sees of scenes of one size, see ``Clips``."""
    videos = [render(scene, FRAMES) for scene in scenes]
    fours = [torch.stack(videos[at : at + 4]) for at in range(0, len(videos), 4)]
    layers = {LATENTS: torch.cat([encode(vae, four) for four in fours])}
    for kind, last in {FIRST: False, BOTH: True}.items() if conditioned else ():
        layers[kind] = torch.cat([condition(vae, layout, video, last=last) for video in videos])
    return layers


def objects_of(scenes: Sequence[Scene], layout: Layout) -> torch.Tensor:
    """Where there are objects, ``[N, 1, T, H, W]``."""
    return torch.stack([presence(scene, layout) for scene in scenes])[:, None]


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
    latents = vae.encode(videos.to(vae.device)).latent_dist.mode()
    mean, deviation = statistics(vae)
    return ((latents - mean) / deviation).cpu()


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
    video = video.to(vae.device)
    _, channels = pipeline.prepare_latents(
        video[None, :, 0],
        1,
        layout.channels,
        height,
        width,
        video.shape[1],
        torch.float32,
        vae.device,
        None,
        None,
        video[None, :, -1] if last else None,
    )
    return channels.cpu()
