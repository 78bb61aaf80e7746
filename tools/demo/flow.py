"""Stage three: the transformers learn flow matching on the latents.

``x_t = (1 - sigma) x + sigma noise``, the model predicts ``noise - x`` (rectified flow, as Wan2.2).
"""

# pyright: reportAttributeAccessIssue=false
# diffusers annotates configurations and encodings as their least common type.

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch import nn

from tools.demo.blocks import arithmetic
from tools.demo.clips import BOTH, FIRST, LATENTS, Clips
from tools.demo.language import tell
from tools.demo.scenes import Scene
from tools.demo.stock import Stock
from tools.demo.training import Stage, Workshop, train

SHIFT = 8.0
"""Of the timesteps, in training and in use: ``sigma = 8u / (1 + 7u)``.

Objects fill hundreds of latent values, so where they are and go is decided while there is still
much noise. With 3, two of eight steps were left for that, and each frame decided on its own.
"""
UNPROMPTED = 0.12
"""Share of clips without a prompt, for guidance."""
GIVEN = 0.4
"""TI2V: share of steps with the first frame given."""
ATTENTION = 4.0
"""How much more a cell of the latents with some of an object counts than one of the background."""
DECIDED = 0.875
"""Noise below which it is seen where the objects are. Above it a greater weight on them would make
the model draw objects wherever one could be."""
LAST = 0.35
"""I2V: share of steps with the last frame given, too."""

Embed = Callable[[list[str]], torch.Tensor]


@dataclass(frozen=True)
class Batch:
    """What one step sees: the transformer's inputs and what counts in the loss."""

    hidden: torch.Tensor
    timestep: torch.Tensor
    target: torch.Tensor
    counted: torch.Tensor | None = None
    """0 where the answer was given, broadcast over the target."""


Condition = Callable[[random.Random, Clips, torch.Tensor, torch.Tensor, torch.Tensor], Batch]
"""From clips, noise, sigma and encoded text to a batch: how the layouts differ."""


def train_flow(
    workshop: Workshop,
    stage: Stage,
    transformer: WanTransformer3DModel,
    material: Callable[[], Sequence[Stock]],
    condition: Condition,
    embed: Embed,
    *,
    batch: int,
    sigmas: tuple[float, float] = (0.0, 1.0),
    look: Callable[[int], None] = lambda step: None,
) -> None:
    """Train in place for noise levels in this range; ``batch`` clips of the native size a step.

    ``material`` is made only when there is a step to do.
    """
    kept: list[Stock] = []

    def loss(step: int, chance: random.Random) -> torch.Tensor:
        if not kept:
            kept.extend(material())
        stock = chance.choices(kept, [each.format.often for each in kept])[0]
        count = batch * stock.format.crowd
        clips = stock.compose(chance, count).to(transformer.device)
        with torch.no_grad():
            text = embed([told(chance, scene) for scene in clips.scenes])
        sigma = levels(count, *sigmas).to(transformer.device)
        seen = condition(chance, clips, torch.randn_like(clips.layers[LATENTS]), sigma, text)
        with arithmetic():
            velocity = transformer(seen.hidden, seen.timestep, text, return_dict=False)[0]
        weight = weights_of(clips.objects, sigma)
        if seen.counted is not None:
            weight = weight * seen.counted
        error = (velocity.float() - seen.target).square().mean(1, keepdim=True)
        return (error * weight).sum() / weight.sum()

    train(workshop, stage, transformer, loss, look)
    transformer.eval().requires_grad_(False)


def told(chance: random.Random, scene: Scene) -> str:
    """A new prompt for a scene, or none."""
    return "" if chance.random() < UNPROMPTED else tell(chance, scene)[0]


def levels(count: int, low: float, high: float) -> torch.Tensor:
    """Noise levels as the sampler spaces them, one from each of ``count`` equal shares."""

    def unshifted(sigma: float) -> float:
        return sigma / (SHIFT - (SHIFT - 1) * sigma)

    start, end = unshifted(low), unshifted(high)
    u = start + (end - start) * (torch.arange(count) + torch.rand(count)) / count
    return SHIFT * u / (1 + (SHIFT - 1) * u)


def weights_of(objects: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """What each cell counts, ``[B, 1, T, H, W]``: colour and shape are in few of them."""
    more = (ATTENTION - 1) * (sigma < DECIDED).view(-1, 1, 1, 1, 1)
    return 1 + more * objects


def from_text(
    chance: random.Random,
    clips: Clips,
    noise: torch.Tensor,
    sigma: torch.Tensor,
    text: torch.Tensor,
) -> Batch:
    """T2V: nothing but the noisy latents."""
    clean = clips.layers[LATENTS]
    return Batch(_mix(clean, noise, sigma), sigma * 1000, noise - clean)


def from_channels(
    chance: random.Random,
    clips: Clips,
    noise: torch.Tensor,
    sigma: torch.Tensor,
    text: torch.Tensor,
) -> Batch:
    """I2V: the encoded first frame, or first and last, as further channels."""
    kind = BOTH if chance.random() < LAST else FIRST
    plain = from_text(chance, clips, noise, sigma, text)
    hidden = torch.cat([plain.hidden, clips.layers[kind]], dim=1)
    return Batch(hidden, plain.timestep, plain.target)


@dataclass(frozen=True)
class FromFrame:
    """TI2V: a timestep for each token; a given first frame is clean, at timestep 0.

    Without a frame T2V's experts say what to predict, which is free of the chance that is in a
    clip: one transformer learns in hundreds of steps what both know. With one the clip says it.
    """

    high: WanTransformer3DModel
    low: WanTransformer3DModel
    boundary: float
    """Sigma from which on the expert for high noise is asked."""

    def __call__(
        self,
        chance: random.Random,
        clips: Clips,
        noise: torch.Tensor,
        sigma: torch.Tensor,
        text: torch.Tensor,
    ) -> Batch:
        """A batch with a given frame, or with none."""
        clean = clips.layers[LATENTS]
        mixed = _mix(clean, noise, sigma)
        frames, height, width = clean.shape[2:]
        times = (sigma * 1000).view(-1, 1, 1, 1).repeat(1, frames, height // 2, width // 2)
        if chance.random() >= GIVEN:
            return Batch(mixed, times.flatten(1), self._said(mixed, sigma, text))
        mixed[:, :, 0] = clean[:, :, 0]
        times[:, 0] = 0
        counted = clean.new_ones(1, 1, frames, 1, 1)
        counted[:, :, 0] = 0
        return Batch(mixed, times.flatten(1), noise - clean, counted)

    @torch.no_grad()
    def _said(self, mixed: torch.Tensor, sigma: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        said = torch.empty_like(mixed)
        for expert, own in ((self.high, sigma >= self.boundary), (self.low, sigma < self.boundary)):
            if own.any():
                seen = expert(mixed[own], sigma[own] * 1000, text[own], return_dict=False)
                said[own] = seen[0]
        return said


def widened(trunk: WanTransformer3DModel, wide: WanTransformer3DModel) -> WanTransformer3DModel:
    """The trunk's weights in a transformer with more input channels, which begin at zero."""
    state: dict[str, Any] = trunk.state_dict()
    patches = torch.zeros_like(wide.patch_embedding.weight)
    patches[:, : trunk.config.in_channels] = state["patch_embedding.weight"]
    wide.load_state_dict({**state, "patch_embedding.weight": patches})
    return wide


def deepened(trunk: WanTransformer3DModel, deep: WanTransformer3DModel) -> WanTransformer3DModel:
    """The trunk's weights in a transformer with more blocks, of which the last begin as nothing."""
    missing, _ = deep.load_state_dict(trunk.state_dict(), strict=False)
    blocks: Any = deep.blocks
    for block in blocks[trunk.config.num_layers :]:
        for last in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    assert all(name.startswith("blocks.") for name in missing), missing
    return deep


def _mix(clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    level = sigma.view(-1, 1, 1, 1, 1)
    return (1 - level) * clean + level * noise
