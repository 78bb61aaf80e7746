"""The demo LoRA draws outlines, as much as its strength says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.semantics.filming import Film, wishes
from tools.demo.making import LORA
from tools.demo.measure import Pixels, look_at, pixels
from tools.demo.scenes import render
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.generation import LoraRef

FOLDER = Path(__file__).resolve().parents[2] / "loras"
PROMPTS = ("a red circle moving left", "a blue square moving right", "a yellow circle growing")


@pytest.fixture
def with_outlines(film: Film):
    """Film the prompts at a strength of the pair; ``None`` is without any LoRA."""

    def films(strength: float | None) -> list[Pixels]:
        files = {expert: LORA.format(expert) for expert in ("high", "low")}
        refs = () if strength is None else tuple(
            LoraRef.model_validate({"file": file, "strength": strength, "expert": expert})
            for expert, file in files.items()
        )  # fmt: skip
        paths = () if strength is None else tuple(str(FOLDER / file) for file in files.values())
        return [
            film(DEMO_T2V.key, prompt, seed, loras=refs, lora_paths=paths)
            for seed, prompt in enumerate(PROMPTS)
        ]

    return films


def filled(films: list[Pixels]) -> float:
    """How solid the objects are: 1 for solid, small for outlines."""
    return float(np.mean([look_at(frames, 1).things[0].fill for frames in films]))


def drawn_outlines() -> list[Pixels]:
    """What the LoRA was taught."""
    scenes = [replace(wish.scene, outlined=True) for wish in wishes(12, pair=0)]
    return [pixels(render(scene, DEMO_T2V.frames)) for scene in scenes]


@pytest.mark.slow
def test_strength_0_is_none_1_is_outlines_and_between_lies_between(with_outlines) -> None:
    none, zero, half, whole = (with_outlines(strength) for strength in (None, 0.0, 0.5, 1.0))
    assert all(np.array_equal(a, b) for a, b in zip(none, zero, strict=True))
    solid, outlines = filled(none), filled(drawn_outlines())
    assert solid > 0.9
    assert outlines < 0.6
    assert filled(whole) < (solid + outlines) / 2, "nearer to outlines than to solid things"
    assert filled(whole) < filled(half) < solid
