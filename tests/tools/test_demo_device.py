"""Training on another device: torch's own one without memory refuses most of what lies elsewhere.

Not all: embeddings and sums of Einstein take tensors of the processor there.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan

from tools.demo import flow
from tools.demo.blocks import folding
from tools.demo.clips import BOTH, FIRST, LATENTS, Clips, Format, objects_of
from tools.demo.lift import only_turned, turned
from tools.demo.making import Making
from tools.demo.networks import (
    A14B,
    DEEPER,
    FIVE_B,
    TEXT_WIDTH,
    build_transformer,
    build_vae,
)
from tools.demo.scenes import draw_scene
from tools.demo.stock import Stock
from tools.demo.text import FOLDED
from tools.demo.training import Stage, Workshop
from tools.demo.vae import sharpen, teach, train_vae

ELSEWHERE = "meta"
READ = "item.. cannot be called on meta tensors"
"""What ends a step there, after forward, backward and optimizers: that its loss is read."""


@pytest.fixture(name="workshop")
def _workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, 7, lambda line: None)


class Drawn(Stock):
    """Scenes with latents of no meaning."""

    def compose(self, chance: random.Random, count: int) -> Clips:
        """As many as asked for."""
        scenes = [draw_scene(chance, 64, 64) for _ in range(count)]
        layers = {LATENTS: torch.randn(count, 16, 5, 8, 8)}
        layers |= {kind: torch.randn(count, 20, 5, 8, 8) for kind in (FIRST, BOTH)}
        return Clips(scenes, layers, objects_of(scenes, A14B))


def stocks() -> Sequence[Stock]:
    """One."""
    return [Drawn(Format((64, 64), 1, 1.0), A14B, Clips([], {}, torch.zeros(0)), {}, {})]


def embed(prompts: list[str]) -> torch.Tensor:
    """Texts of no meaning, where the text encoder is."""
    return torch.randn(len(prompts), FOLDED, TEXT_WIDTH, device=ELSEWHERE)


@pytest.mark.parametrize(
    ("condition", "channels"), [(flow.from_text, 16), (flow.from_channels, 36)]
)
def test_a_step_of_the_transformers(
    workshop: Workshop, condition: flow.Condition, channels: int
) -> None:
    transformer = folding(build_transformer(channels, 16).to(ELSEWHERE))
    with pytest.raises(RuntimeError, match=READ):
        flow.train_flow(workshop, Stage("x", 1, 1e-3), transformer, stocks, condition, embed,
                        batch=2)  # fmt: skip


def test_a_step_with_given_frames(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "GIVEN", 1.0)
    trunk = build_transformer(16, 16)
    learned = flow.deepened(trunk, build_transformer(16, 16, DEEPER)).to(ELSEWHERE)
    condition = flow.FromFrame(trunk, trunk, 0.875)
    with pytest.raises(RuntimeError, match=READ):
        flow.train_flow(workshop, Stage("x", 1, 1e-3), folding(learned), stocks, condition, embed,
                        batch=2)  # fmt: skip
    assert turned(torch.zeros(1, 16, 1, 2, 2, device=ELSEWHERE)).device.type == ELSEWHERE


def _whole(workshop: Workshop, vae: AutoencoderKLWan) -> None:
    train_vae(workshop, "x", vae, 1)


def _decoder(workshop: Workshop, vae: AutoencoderKLWan) -> None:
    sharpen(workshop, "x", vae.requires_grad_(False), 1)


@pytest.mark.parametrize("learn", [_whole, _decoder])
def test_a_step_of_the_vae(
    workshop: Workshop, learn: Callable[[Workshop, AutoencoderKLWan], None]
) -> None:
    with pytest.raises(RuntimeError, match=READ):
        learn(workshop, build_vae(A14B).to(ELSEWHERE))


@pytest.mark.parametrize("done", [(), ("x-encoder",)])
def test_a_step_of_the_residual_vae(workshop: Workshop, done: tuple[str, ...]) -> None:
    vae: Any = build_vae(FIVE_B).to(ELSEWHERE)
    only_turned(vae)
    for stage in done:
        smooth = {
            name: torch.zeros(weight.shape) for name, weight in vae.encoder.named_parameters()
        }
        torch.save({"smooth": smooth}, workshop.path(f"{stage}.pt"))
    with pytest.raises(RuntimeError, match=READ):
        teach(workshop, "x", vae, build_vae(A14B).to(ELSEWHERE), 1, 1)


def test_a_step_of_the_text_encoder(workshop: Workshop, tmp_path: Path) -> None:
    making = Making(workshop, tmp_path, tmp_path, 1.0, ELSEWHERE)
    with pytest.raises(RuntimeError, match=READ):
        _ = making.text_encoder
