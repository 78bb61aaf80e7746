"""Scenes that nobody drew, put together from the latents of those that were.

What an object changes in the latents of its background is the same wherever it moves: measured with
the A14B layout, an object moved by the grid differs from one drawn there by 0.01 to 1 % of what it
changes. So each object of the clips serves at every place of every room of its size, beside every
other one. Without that, T2V's high-noise expert learned 2,700 clips by heart: its loss was 0.359 on
them and 0.407 on others, and shapes were right by chance only.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from diffusers import AutoencoderKLWan

from tools.demo.clips import Clips, Format, layers_of, make_clips, objects_of
from tools.demo.networks import Layout
from tools.demo.scenes import Box, Scene, Thing, on_grid, repeats, spans
from tools.demo.training import Workshop

Layers = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Stock:
    """Clips of a format, and what new scenes are put together from.

    ``empty`` has each background's layers ``[C, T, H, W]`` without an object, ``rooms`` the objects
    by background and box: number of the clip, and the object's place in its scene.
    """

    format: Format
    layout: Layout
    clips: Clips
    empty: dict[str, Layers]
    rooms: dict[tuple[str, Box], list[tuple[int, int]]]

    def compose(self, chance: random.Random, count: int) -> Clips:
        """New scenes at random, each laid out as one of those drawn.

        A pair is taken twice as often: its two objects are harder than twice one.
        """
        drawn = self.clips.scenes
        likes = chance.choices(drawn, [len(scene.things) for scene in drawn], k=count)
        made = [self._scene(chance, like) for like in likes]
        scenes = [scene for scene, _ in made]
        layers = {kind: torch.stack([each[kind] for _, each in made]) for kind in made[0][1]}
        return Clips(scenes, layers, objects_of(scenes, self.layout))

    def _scene(self, chance: random.Random, like: Scene) -> tuple[Scene, Layers]:
        empty = self.empty[like.background]
        layers = {kind: layer.clone() for kind, layer in empty.items()}
        things: list[Thing] = []
        for box in [thing.box for thing in like.things]:
            number, place = chance.choice(self.rooms[like.background, box])
            thing = self.clips.scenes[number].things[place]
            dx, dy = chance.choice(moves(thing, like.background))
            rows, columns = self._cells(box)
            cells = (dy // self.layout.spatial, dx // self.layout.spatial)
            for kind, layer in layers.items():
                with_it = self.clips.layers[kind][number, ..., rows, columns]
                change = with_it - empty[kind][..., rows, columns]
                layer[..., rows, columns] += change.roll(cells, (-2, -1))
            things.append(replace(thing, x=thing.x + dx, y=thing.y + dy))
        return replace(like, things=tuple(things)), layers

    def _cells(self, box: Box) -> tuple[slice, slice]:
        left, top, width, height = (round(side / self.layout.spatial) for side in box)
        return slice(top, top + height), slice(left, left + width)


def make_stock(
    workshop: Workshop,
    name: str,
    vae: AutoencoderKLWan,
    layout: Layout,
    formats: Sequence[Format],
    *,
    conditioned: bool = False,
    outlined: bool = False,
) -> list[Stock]:
    """What a stage learns from."""
    made: list[Stock] = []
    for format in formats:
        clips = make_clips(
            workshop, name, vae, layout, format, conditioned=conditioned, outlined=outlined
        )
        made.append(stock_of(clips, vae, layout, format))
    workshop.say(f"{name}: {sum(len(stock.clips.scenes) for stock in made)} clips")
    return made


def stock_of(clips: Clips, vae: AutoencoderKLWan, layout: Layout, format: Format) -> Stock:
    """Find the objects of clips, and encode their backgrounds."""
    rooms: dict[tuple[str, Box], list[tuple[int, int]]] = {}
    for number, scene in enumerate(clips.scenes):
        for place, thing in enumerate(scene.things):
            rooms.setdefault((scene.background, thing.box), []).append((number, place))
    names = sorted({scene.background for scene in clips.scenes})
    plain = [Scene(*format.size, name, ()) for name in names]
    layers = layers_of(vae, layout, plain, conditioned=len(clips.layers) > 1)
    empty = {
        name: {kind: layer[index] for kind, layer in layers.items()}
        for index, name in enumerate(names)
    }
    return Stock(format, layout, clips, empty, rooms)


def moves(thing: Thing, background: str) -> list[tuple[int, int]]:
    """Pixels, across and down, by which it may be moved within its box; always at least none."""
    across, down = (
        on_grid(*span) or [at] for span, at in zip(spans(thing), (thing.x, thing.y), strict=True)
    )
    ways = [(round(x - thing.x), round(y - thing.y)) for x in across for y in down]
    return [way for way in ways if repeats(background, *way)]
