"""Scenes with what is told of them, films of the app's engine, and how much of it is right."""

import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from tests.engine.conftest import Generate
from tools.demo.language import Told, tell
from tools.demo.measure import Pixels, pixels
from tools.demo.sampling import picture
from tools.demo.scenes import Scene, draw_scene, render
from tools.demo.score import Score
from wan22_app.domain.catalog import CATALOG, DEMO_T2V

SEED = 4_711
FLOORS = {"colour": 0.91, "direction": 0.84, "shape": 0.78}
"""Below one of these, something in the app is wired wrongly."""

Film = Callable[..., Pixels]


@dataclass(frozen=True)
class Wish:
    """A scene, a prompt for it, and what the prompt says."""

    number: int
    scene: Scene
    prompt: str
    told: Told

    @property
    def clip(self) -> Pixels:
        """The scene as it was drawn, ``[F, H, W, 3]`` in 0..1."""
        return self.drawn(1)

    def drawn(self, scale: int) -> Pixels:
        """The same with so many pixels along one length."""
        return pixels(render(self.scene, DEMO_T2V.frames, scale=scale))


def wishes(count: int, *, pair: float = 0.3, seed: int = SEED) -> list[Wish]:
    """The seed's first so many scenes; its number goes to the test's output."""
    sys.stdout.write(f"prompts drawn by seed {seed}\n")
    made = []
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        scene = draw_scene(chance, DEMO_T2V.size.width, DEMO_T2V.size.height, pair=pair)
        prompt, told = tell(chance, scene, omit=0)
        made.append(Wish(number, scene, prompt, told))
    return made


@pytest.fixture
def film(generate: Generate, tmp_path: Path) -> Film:
    """Frames ``[F, H, W, 3]`` in 0..1 of a prompt at the entry's defaults.

    ``first`` is a frame to start from, ``last`` one to end with; everything else goes to
    ``generate``.
    """

    def make(
        key: str, prompt: str, seed: int, *,
        first: Pixels | None = None, last: Pixels | None = None, **more: object,
    ) -> Pixels:  # fmt: skip
        spec = CATALOG[key]
        defaults = {"width": spec.size.width, "height": spec.size.height,
                    "frames": spec.frames, "steps": spec.steps}  # fmt: skip
        if first is not None:
            start = tmp_path / "first.png"
            picture(first).save(start)
            more |= {"image": True, "start": start}
        if last is not None:
            end = tmp_path / "last.png"
            picture(last).save(end)
            more |= {"last": end}
        done = generate(key, **{**defaults, "prompt": prompt, "seed": seed, **more}).done
        return frames_of(tmp_path / done.video)

    return make


def frames_of(video: Path) -> Pixels:
    """Decode a file to its end."""
    with av.open(str(video)) as container:
        shots = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(shots).astype(np.float32) / 255


def rates(films: Iterable[tuple[Pixels, Told]]) -> dict[str, float]:
    """Share that is right of each kind; also printed."""
    score = Score()
    for frames, told in films:
        score.add(frames, told)
    sys.stdout.write(f"{score}\n")
    return {kind: score.rate(kind) for kind in (*FLOORS, "motion")}


def failing(measured: dict[str, float]) -> list[str]:
    """Kinds that are below their floor."""
    return [kind for kind, floor in FLOORS.items() if measured[kind] < floor]
