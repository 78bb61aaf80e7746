"""Scenes that are put together are those that would have been drawn."""

import random
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan

from tools.demo.clips import BOTH, FIRST, LATENTS, Clips, Format, layers_of, objects_of
from tools.demo.networks import A14B, channels_last
from tools.demo.scenes import (
    BACKGROUNDS,
    Scene,
    Thing,
    background,
    centres,
    draw_scene,
    repeats,
    replace,
    spans,
)
from tools.demo.stock import Stock, make_stock, moves, stock_of
from tools.demo.training import Workshop

SIZE = (96, 96)


@pytest.fixture(scope="module")
def vae(demo_models: Path) -> AutoencoderKLWan:
    loaded = AutoencoderKLWan.from_pretrained(demo_models / "demo" / "t2v" / "vae")
    channels_last(loaded)
    return loaded.eval()


@pytest.fixture(scope="module")
def stock(vae: AutoencoderKLWan) -> Stock:
    """Three scenes with one object that can be moved, one with two."""
    chance = random.Random(4)
    scenes: list[Scene] = []
    while len(scenes) < 4:
        scene = replace(draw_scene(chance, *SIZE, pair=float(len(scenes) == 3)), background="black")
        if all(len(moves(thing, scene.background)) > 1 for thing in scene.things):
            scenes.append(scene)
    layers = layers_of(vae, A14B, scenes, conditioned=True)
    clips = Clips(scenes, layers, objects_of(scenes, A14B))
    return stock_of(clips, vae, A14B, Format(SIZE, 1, 1.0))


def test_what_is_put_together_is_what_the_scene_would_be_encoded_as(
    vae: AutoencoderKLWan, stock: Stock
) -> None:
    made = stock.compose(random.Random(1), 4)
    drawn = layers_of(vae, A14B, made.scenes, conditioned=True)
    assert drawn.keys() == made.layers.keys() == {LATENTS, FIRST, BOTH}
    moved = [scene for scene in made.scenes if scene not in stock.clips.scenes]
    assert len(moved) >= 2, "new scenes, not those that were drawn"
    for kind, layer in drawn.items():
        empty = torch.stack([stock.empty[scene.background][kind] for scene in made.scenes])
        wrong = (made.layers[kind] - layer).square().sum()
        # Given frames end in grey: there the encoder looks at one frame, and the border is nearer.
        most = 0.02 if kind == LATENTS else 0.08
        assert wrong < most * (layer - empty).square().sum(), kind


def test_all_of_it_follows_from_the_choices(stock: Stock) -> None:
    one, same, other = (stock.compose(random.Random(seed), 6) for seed in (1, 1, 2))
    assert one.scenes == same.scenes != other.scenes
    assert all(torch.equal(layer, same.layers[kind]) for kind, layer in one.layers.items())
    assert one.objects.shape == (6, 1, 5, 12, 12)


def test_the_stock_is_left_as_it_was(stock: Stock) -> None:
    before = {kind: layer.clone() for kind, layer in stock.clips.layers.items()}
    empty = stock.empty["black"][LATENTS].clone()
    stock.compose(random.Random(3), 12)
    assert all(torch.equal(layer, before[kind]) for kind, layer in stock.clips.layers.items())
    assert torch.equal(stock.empty["black"][LATENTS], empty)


def test_clips_that_were_made_are_read_again(vae: AutoencoderKLWan, tmp_path: Path) -> None:
    def make() -> Clips:
        workshop = Workshop(tmp_path, 4, lambda line: None)
        return make_stock(workshop, "few", vae, A14B, [Format((64, 64), 1, 1.0)])[0].clips

    first, second = make(), make()
    assert first.scenes == second.scenes
    assert torch.equal(first.layers[LATENTS], second.layers[LATENTS])
    assert len(list(tmp_path.glob("clips-*.pt"))) == 1


def test_no_move_leaves_the_box_or_the_pattern() -> None:
    chance = random.Random(5)
    ways = 0
    for _ in range(200):
        scene = draw_scene(chance, 128, 128)
        rows, columns = centres(128, 128)
        under = background(scene.background, rows, columns, 128)
        for thing in scene.things:
            found = moves(thing, scene.background)
            assert (0, 0) in found
            ways += len(found)
            for dx, dy in found:
                assert inside(thing, thing.x + dx, thing.y + dy) or (dx, dy) == (0, 0)
                rolled = background(scene.background, rows + dy, columns + dx, 128)
                assert torch.equal(rolled, under)
    assert ways > 600, "there is much to choose from"


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_repeats_only_where_it_looks_the_same(name: str) -> None:
    rows, columns = centres(64, 64)
    here = background(name, rows, columns, 256)
    for dx, dy in ((16, 0), (0, 16), (16, 16), (32, 0), (0, 32), (-16, 16)):
        there = background(name, rows + dy, columns + dx, 256)
        assert repeats(name, dx, dy) == torch.equal(here, there)


def inside(thing: Thing, x: float, y: float) -> bool:
    """Whether the path around this middle stays in the box."""
    (left, right), (top, bottom) = spans(thing)
    across = left <= x <= right or left > right
    return across and (top <= y <= bottom or top > bottom)
