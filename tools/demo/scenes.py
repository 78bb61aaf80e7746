"""What the demo models know: plain objects that move, drawn by arithmetic.

A scene is a background and one or two objects. Lengths are in pixels of the picture; a motion runs
over the whole clip, whatever its number of frames.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.12, 0.12),
    "orange": (1.00, 0.55, 0.05),
    "yellow": (0.97, 0.92, 0.15),
    "green": (0.15, 0.75, 0.20),
    "cyan": (0.15, 0.85, 0.90),
    "blue": (0.15, 0.25, 0.95),
    "purple": (0.60, 0.20, 0.85),
    "white": (0.97, 0.97, 0.97),
}
SHAPES = ("circle", "square", "triangle", "star")
DIRECTIONS: dict[str, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
}
MOTIONS = (*DIRECTIONS, "growing", "shrinking", "circling", "bouncing")
BACKGROUNDS = ("black", "white", "grey", "striped", "checkered", "sky")
DEFAULT_BACKGROUND = "black"

SQUARE = 0.89
"""Half a side for the area of a circle of radius 1; the next two are circumradii."""
TRIANGLE = 1.55
STAR = 1.7
STAR_WAIST = 0.42
"""Inner radius of the star over its outer one."""
REACH = 1.7
"""How far a shape reaches from its centre, in radii."""
GRID = 16
"""Pixels between possible middles of a path: as wide as a token of the A14B layouts. Edges of an
object then fall into cells in few ways, which small transformers can learn; with free places and
sizes they drew blobs in place of shapes."""
PHASES = (0.0, 0.25, 0.5, 0.75)
TILE = 16
"""Pixels of a stripe or of a checker."""


Box = tuple[float, float, float, float]
"""Left, top, width and height."""


@dataclass(frozen=True)
class Thing:
    """One object. ``x`` and ``y`` are the middle of its path, which stays in ``box`` and scales
    with it.

    ``phase`` in 0..1 is where a circling object starts.
    """

    colour: str
    shape: str
    motion: str
    x: float
    y: float
    radius: float
    box: Box
    phase: float = 0.0

    @property
    def room(self) -> float:
        """The shorter side of the box."""
        return min(self.box[2:])

    @property
    def facts(self) -> tuple[str, str, str]:
        """Colour, shape and motion, as a prompt tells them."""
        return self.colour, self.shape, self.motion


@dataclass(frozen=True)
class Scene:
    """Everything that is in a clip; objects from left to right, or from top to bottom."""

    width: int
    height: int
    background: str
    things: tuple[Thing, ...]
    outlined: bool = False
    """Outlines only: what the demo LoRA learns."""


@dataclass(frozen=True)
class Track:
    """Centre and radius of an object at each frame, each ``[F]``."""

    x: torch.Tensor
    y: torch.Tensor
    radius: torch.Tensor


def draw_scene(chance: random.Random, width: int, height: int, *, pair: float = 0.3) -> Scene:
    """A random scene; ``pair`` is the share of scenes with two objects."""
    background = chance.choice(BACKGROUNDS)
    things: list[Thing] = []
    if chance.random() < pair:
        for box in _halves(width, height):
            things.append(_place(chance, _look(chance, background), box, (0.21,)))
    else:
        box = (0.0, 0.0, float(width), float(height))
        things.append(_place(chance, _look(chance, background), box, (0.15, 0.19)))
    return Scene(width, height, background, tuple(things))


def track(thing: Thing, frames: int) -> Track:
    """Where the object is at each frame."""
    u = torch.linspace(0, 1, frames)
    still = torch.zeros(frames)
    x, y, scale = still, still, torch.ones(frames)
    room = thing.room
    if thing.motion in DIRECTIONS:
        dx, dy = DIRECTIONS[thing.motion]
        travel = 0.45 * room * (u - 0.5)
        x, y = dx * travel, dy * travel
    elif thing.motion == "growing":
        scale = 0.55 + 1.05 * u
    elif thing.motion == "shrinking":
        scale = 1.6 - 1.05 * u
    elif thing.motion == "circling":
        angle = 2 * math.pi * (thing.phase + u * 5 / 6)
        x, y = 0.17 * room * angle.cos(), 0.17 * room * angle.sin()
    elif thing.motion == "bouncing":
        y = 0.22 * room * (0.5 - (2 * math.pi * u).sin().square())
    return Track(thing.x + x, thing.y + y, thing.radius * scale)


def render(
    scene: Scene,
    frames: int,
    window: tuple[int, int, int, int] | None = None,
    scale: int = 1,
) -> torch.Tensor:
    """Pixels ``[3, F, H, W]`` in -1..1; ``window`` is ``left, top, width, height`` of a cut-out.

    ``scale`` is how many pixels there are along one length of the scene.
    """
    left, top, width, height = window or (0, 0, scene.width, scene.height)
    rows, columns = centres(width, height, left, top, scale)
    picture = background(scene.background, rows, columns, scene.height)[:, None]
    picture = picture.expand(3, frames, *rows.shape).clone()
    for thing in scene.things:
        cover = coverage(thing, track(thing, frames), rows, columns,
                         outlined=scene.outlined, scale=scale)  # fmt: skip
        paint = torch.tensor(COLOURS[thing.colour]).view(3, 1, 1, 1)
        picture = torch.lerp(picture, paint, cover[None])
    return picture * 2 - 1


def centres(
    width: int, height: int, left: int = 0, top: int = 0, scale: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns ``[H, W]`` of the pixels' middles, of a cut-out that begins at left, top.

    All in lengths of the scene, of which each has ``scale`` pixels.
    """
    rows, columns = torch.meshgrid(
        (torch.arange(height * scale) + 0.5) / scale + top,
        (torch.arange(width * scale) + 0.5) / scale + left,
        indexing="ij",
    )
    return rows, columns


def background(
    name: str, rows: torch.Tensor, columns: torch.Tensor, picture_height: int
) -> torch.Tensor:
    """Colours ``[3, H, W]`` in 0..1 of an empty scene at these pixel centres."""
    flat = {"black": 0.03, "white": 0.95, "grey": 0.5}
    if name in flat:
        return torch.full((3, *rows.shape), flat[name])
    if name == "sky":
        low, high = torch.tensor([(0.55, 0.62, 0.72), (0.10, 0.16, 0.34)]).view(2, 3, 1, 1)
        return torch.lerp(high, low, (rows / picture_height)[None])
    odd = (columns // TILE) % 2
    if name == "checkered":
        odd = (odd + rows // TILE) % 2
    return (0.18 + 0.2 * odd).expand(3, *rows.shape)


def coverage(
    thing: Thing, path: Track, rows: torch.Tensor, columns: torch.Tensor, *,
    outlined: bool, scale: int = 1,
) -> torch.Tensor:  # fmt: skip
    """How much of each pixel the object covers, ``[F, H, W]`` in 0..1."""
    dx = columns[None] - path.x.view(-1, 1, 1)
    dy = rows[None] - path.y.view(-1, 1, 1)
    inside = depth(thing.shape, dx, dy, path.radius.view(-1, 1, 1))
    cover = (scale * inside + 0.5).clamp(0, 1)
    if not outlined:
        return cover
    line = (0.22 * path.radius.view(-1, 1, 1)).clamp(min=2.0)
    return cover * (scale * (line - inside) + 0.5).clamp(0, 1)


def depth(shape: str, dx: torch.Tensor, dy: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """Distance in pixels from the edge, positive inside, of a shape around the origin."""
    if shape == "circle":
        return radius - torch.hypot(dx, dy)
    if shape == "square":
        return SQUARE * radius - torch.maximum(dx.abs(), dy.abs())
    if shape == "triangle":
        # Three half-planes at half the circumradius from the centre, one of them the floor.
        side = dy / 2 - dx.abs() * (math.sqrt(3) / 2)
        return TRIANGLE * radius / 2 + torch.minimum(side, -dy)
    # One edge of the star, after folding the plane into a tenth of a turn around each point.
    fifth = 2 * math.pi / 5
    angle = torch.atan2(dx, -dy)
    angle = (torch.remainder(angle + fifth / 2, fifth) - fifth / 2).abs()
    distance = torch.hypot(dx, dy)
    waist = STAR_WAIST * torch.tensor([math.cos(fifth / 2), math.sin(fifth / 2)])
    along = torch.tensor([1.0, 0.0]) - waist
    length = float(along.norm())
    px, py = distance * angle.cos(), distance * angle.sin()
    size = STAR * radius
    return -((px - size) * along[1] - py * along[0]) / -length


def spans(thing: Thing) -> tuple[tuple[float, float], tuple[float, float]]:
    """Lowest and highest middle, across and down, with which the whole path is inside the box.

    Where it has no room the lowest is above the highest.
    """
    path = track(replace(thing, x=0.0, y=0.0), 17)
    reach = REACH * path.radius
    left, top, width, height = thing.box

    def span(at: torch.Tensor, start: float, length: float) -> tuple[float, float]:
        return start - float((at - reach).min()), start + length - float((at + reach).max())

    return span(path.x, left, width), span(path.y, top, height)


def on_grid(low: float, high: float) -> list[float]:
    """Middles on the grid between these."""
    return [float(GRID * n) for n in range(math.ceil(low / GRID), math.floor(high / GRID) + 1)]


def repeats(background: str, dx: float, dy: float) -> bool:
    """Whether the background is the same this many pixels away, in multiples of the grid."""
    if background == "sky":
        return dy == 0
    if background == "striped":
        return dx % (2 * TILE) == 0
    return background != "checkered" or (dx + dy) % (2 * TILE) == 0


def solo(scene: Scene, index: int) -> Scene:
    """The scene with one of its objects."""
    return replace(scene, things=(scene.things[index],))


def _look(chance: random.Random, background: str) -> tuple[str, str, str]:
    """Colour, shape and motion; white on white would be nothing to see."""
    colours = [name for name in COLOURS if not (name == "white" and background == "white")]
    return chance.choice(colours), chance.choice(SHAPES), chance.choice(MOTIONS)


def _halves(width: int, height: int) -> Sequence[Box]:
    """Two rooms, in which objects of a pair never cover each other: what is told first is on the
    left, in a tall picture above.

    With either object in either room, told in either order, T2V mixed up half of the pairs after
    12,000 steps: nothing but chance said which words belong to which half.
    """
    if width >= height:
        w, h = width / 2, float(height)
    else:
        w, h = float(width), height / 2
    return (0.0, 0.0, w, h), (width - w, height - h, w, h)


def _place(
    chance: random.Random, look: tuple[str, str, str], box: Box, radii: tuple[float, ...]
) -> Thing:
    phase = chance.choice(PHASES)
    thing = Thing(*look, 0.0, 0.0, chance.choice(radii) * min(box[2:]), box, phase)

    def middle(low: float, high: float) -> float:
        """One at random; the best that there is when the path has no room."""
        inside = on_grid(low, high)
        return chance.choice(inside) if inside else float(GRID * round((low + high) / 2 / GRID))

    across, down = spans(thing)
    return replace(thing, x=middle(*across), y=middle(*down))
