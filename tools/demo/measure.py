"""What is to be seen in a clip, measured with NumPy: background, and each object's looks and path.

Objects are what differs from the background; colour is the nearest known one to their median, shape
the template of equal area and centre that overlaps best, and motion follows from centres and areas.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from math import hypot

import numpy as np
import torch
from numpy.typing import NDArray

from tools.demo.scenes import BACKGROUNDS, COLOURS, DIRECTIONS, SHAPES, background, centres, depth

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]
DIFFERENT = 0.18
"""How far the strongest channel of an object's pixel is from the background's, in 0..1."""
SPECK = 12
"""Pixels below which a patch is no object."""


@dataclass(frozen=True)
class Seen:
    """One object. ``path`` is ``[F, 2]`` (x, y) and ``areas`` ``[F]``, both in pixels."""

    colour: str
    shape: str
    motion: str
    path: Pixels
    areas: Pixels
    fill: float
    """Share of the covered area that stays when what is enclosed is filled: 1 for solid objects."""

    @property
    def facts(self) -> tuple[str, str, str]:
        """Colour, shape and motion, as a prompt tells them."""
        return self.colour, self.shape, self.motion


@dataclass(frozen=True)
class Sight:
    """What a clip shows, largest object first."""

    background: str
    things: tuple[Seen, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """One object in one frame."""

    mask: Mask
    x: float
    y: float

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.mask.sum())


def pixels(clip: torch.Tensor) -> Pixels:
    """A clip ``[3, F, H, W]`` in -1..1 as frames ``[F, H, W, 3]`` in 0..1."""
    return clip.permute(1, 2, 3, 0).add(1).div(2).numpy()


def look_at(frames: Pixels, count: int) -> Sight:
    """Measure frames ``[F, H, W, 3]`` in 0..1 in which this many objects are expected."""
    name, empty = _background(frames)
    different = np.abs(frames - empty).max(-1) > DIFFERENT
    tracks = _tracks([_parts(mask) for mask in different], count)
    return Sight(name, tuple(_describe(frames, parts) for parts in tracks if parts))


def matched(sight: Sight, told: Iterable[tuple[str, str, str]]) -> list[tuple[bool, bool, bool]]:
    """For each object told: are colour, shape and motion right? The kindest pairing counts."""
    wanted = list(told)
    things: list[Seen | None] = [*sight.things, *[None] * len(wanted)]
    pairings = permutations(things, len(wanted))
    scored = [[_right(one, facts) for one, facts in zip(pairing, wanted, strict=True)]
              for pairing in pairings]  # fmt: skip
    return max(scored, key=lambda marks: sum(map(sum, marks)))


def motion_of(path: Pixels, areas: Pixels) -> str:
    """Name of a motion; ``still`` when nothing moves by more than a few pixels."""
    growth = float(areas[-1] / areas[0])
    if growth > 2 or growth < 0.5:
        return "growing" if growth > 1 else "shrinking"
    spread = path.max(0) - path.min(0)
    span = float(spread.max())
    if span < 6:
        return "still"
    way = path[-1] - path[0]
    if float(np.hypot(*way)) > 0.75 * span:
        axis = int(np.abs(way).argmax())
        toward = (int(np.sign(way[0])), 0) if axis == 0 else (0, int(np.sign(way[1])))
        return next(name for name, step in DIRECTIONS.items() if step == toward)
    if float(spread.min()) > 0.4 * span:
        return "circling"
    return "bouncing"


def shrunk(frames: Pixels, scale: int) -> Pixels:
    """Frames in which one pixel is the mean of ``scale`` by ``scale``."""
    count, height, width, colours = frames.shape
    cells = (count, height // scale, scale, width // scale, scale, colours)
    return frames.reshape(cells).mean((2, 4), dtype=np.float32)


def psnr(seen: Pixels, wanted: Pixels) -> float:
    """Peak signal-to-noise ratio in decibels of pixels in 0..1."""
    return float(-10 * np.log10(np.square(seen - wanted).mean()))


def _right(seen: Seen | None, facts: tuple[str, str, str]) -> tuple[bool, bool, bool]:
    if seen is None:
        return False, False, False
    colour, shape, motion = (a == b for a, b in zip(seen.facts, facts, strict=True))
    return colour, shape, motion


def _background(frames: Pixels) -> tuple[str, Pixels]:
    """The known background that most pixels agree with."""
    height, width = frames.shape[1:3]
    rows, columns = centres(width, height)
    empty = {name: background(name, rows, columns, height).permute(1, 2, 0).numpy()
             for name in BACKGROUNDS}  # fmt: skip
    agreed = {name: float((np.abs(frames - picture).max(-1) < 0.1).mean())
              for name, picture in empty.items()}  # fmt: skip
    best = max(agreed, key=lambda name: agreed[name])
    return best, empty[best]


def _parts(mask: Mask) -> list[Part]:
    """The connected patches of a mask, largest first."""
    height, width = mask.shape
    labels = np.where(mask, np.arange(1, height * width + 1).reshape(height, width), 0)
    while True:
        padded = np.pad(labels, 1)
        around = [padded[1 + dy : height + 1 + dy, 1 + dx : width + 1 + dx]
                  for dy in (-1, 0, 1) for dx in (-1, 0, 1)]  # fmt: skip
        grown = np.where(mask, np.max(around, axis=0), 0)
        # Jump to the label of one's label: a path of n pixels needs log n rounds, not n.
        grown = np.where(grown > 0, grown.ravel()[grown - 1], 0)
        if np.array_equal(grown, labels):
            break
        labels = grown
    names, counts = np.unique(labels[labels > 0], return_counts=True)
    parts = []
    for name in names[np.argsort(-counts)][:6]:
        own = labels == name
        rows, columns = np.nonzero(own)
        if len(rows) >= SPECK:
            parts.append(Part(own, float(columns.mean()) + 0.5, float(rows.mean()) + 0.5))
    return parts


def _tracks(frames: list[list[Part]], count: int) -> list[list[Part]]:
    """Follow the largest patches of the first frame that has enough of them through the clip."""
    start = next((index for index, parts in enumerate(frames) if len(parts) >= count), None)
    if start is None:
        if count == 1:
            return []
        return _tracks(frames, count - 1)
    tracks = [[part] for part in frames[start][:count]]
    for parts in frames[start + 1 :]:
        free = list(parts)
        for track in tracks:
            last = track[-1]
            if free:
                nearest = min(free, key=lambda part: hypot(part.x - last.x, part.y - last.y))
                free.remove(nearest)
                track.append(nearest)
            else:
                track.append(last)
    for track in tracks:
        track[:0] = [track[0]] * start
    return tracks


def _describe(frames: Pixels, parts: list[Part]) -> Seen:
    path = np.array([(part.x, part.y) for part in parts], dtype=np.float32)
    areas = np.array([part.area for part in parts], dtype=np.float32)
    pixels = np.concatenate([frame[part.mask] for frame, part in zip(frames, parts, strict=True)])
    solid = [_filled(part.mask) for part in parts]
    fill = float(areas.sum() / sum(mask.sum() for mask in solid))
    votes = {shape: sum(_overlap(shape, mask) for mask in solid) for shape in SHAPES}
    return Seen(
        colour=_colour(np.median(pixels, axis=0)),
        shape=max(votes, key=lambda shape: votes[shape]),
        motion=motion_of(path, areas),
        path=path,
        areas=areas,
        fill=fill,
    )


def _colour(seen: Pixels) -> str:
    return min(COLOURS, key=lambda name: float(np.abs(np.array(COLOURS[name]) - seen).sum()))


def _filled(mask: Mask) -> Mask:
    """The mask with what each row and each column of it encloses."""
    across = np.logical_or.accumulate(mask, 1) & np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    along = np.logical_or.accumulate(mask, 0) & np.logical_or.accumulate(mask[::-1], 0)[::-1]
    return across & along


def _overlap(shape: str, mask: Mask) -> float:
    """Intersection over union with the template of the mask's area and centre."""
    rows, columns = np.nonzero(mask)
    dy, dx = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    x = torch.from_numpy(dx - columns.mean()).float()
    y = torch.from_numpy(dy - rows.mean()).float()
    # The template's area grows with the square of its radius: one trial gives the right one.
    trial = (depth(shape, x, y, torch.tensor(10.0)) > 0).sum().clamp(min=1)
    radius = 10 * torch.sqrt(torch.tensor(float(mask.sum())) / trial)
    template = (depth(shape, x, y, radius) > 0).numpy()
    return float((template & mask).sum() / max(1, (template | mask).sum()))
