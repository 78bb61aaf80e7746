"""``python -m tools.picture_demo_models``: the README's animated picture, the form's example image.

Six prompts, one video each from the T2V demo checkpoint at its defaults, side by side with their
prompts below. The example is a red circle for the demo models that start from an image.
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import WanPipeline
from PIL import Image, ImageDraw

from tools.demo.measure import pixels
from tools.demo.sampling import Settings, picture, sample
from tools.demo.scenes import Scene, Thing, render
from wan22_app.domain.catalog import DEMO_T2V

PROJECT = Path(__file__).resolve().parents[1]
PROMPTS = (
    "a red circle moving left and a blue square moving right",
    "a yellow star bouncing on a checkered background",
    "crimson ball drifting to the left in the sky",
    "a green triangle growing on a white background",
    "a purple square circling on stripes",
    "an orange star falling on a grey background",
)
COLUMNS, GAP, CAPTION = 3, 12, 34
PAPER, INK = (252, 252, 252), (60, 60, 60)


def main(argv: Sequence[str] | None = None) -> int:
    """Sample, lay out and write."""
    parser = argparse.ArgumentParser(prog="tools.picture_demo_models", description=__doc__)
    parser.add_argument("--models", type=Path, default=PROJECT / "models" / "demo")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs" / "images" / "demo.webp")
    parser.add_argument("--example", type=Path, default=PROJECT / "assets" / "demo-start.png")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    pipeline = WanPipeline.from_pretrained(
        options.models / "t2v", torch_dtype=torch.float32, local_files_only=True
    )
    seeds = range(options.seed, options.seed + len(PROMPTS))
    clips = [[picture(frame) for frame in video]
             for video in sample(pipeline, PROMPTS, seeds, Settings())]  # fmt: skip
    example().save(options.example, optimize=True)
    first, *rest = [sheet(moment) for moment in zip(*clips, strict=True)]
    first.save(
        options.out, save_all=True, append_images=rest, loop=0, quality=80,
        duration=1000 // DEMO_T2V.fps,
    )  # fmt: skip
    return 0


def example() -> Image.Image:
    """A red circle in the middle, where it may go anywhere from."""
    side = 2 * DEMO_T2V.size.width
    circle = Thing("red", "circle", "right", side / 2, 0.56 * side, 0.13 * side, (0, 0, 0, 0))
    return picture(pixels(render(Scene(side, side, "black", (circle,)), 1))[0])


def sheet(moment: Sequence[Image.Image]) -> Image.Image:
    """One frame of each clip with its prompt."""
    width, height = moment[0].size
    rows = -(-len(moment) // COLUMNS)
    size = (COLUMNS * (width + GAP) + GAP, rows * (height + CAPTION + GAP) + GAP)
    page = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(page)
    for index, (frame, prompt) in enumerate(zip(moment, PROMPTS, strict=True)):
        left = GAP + index % COLUMNS * (width + GAP)
        top = GAP + index // COLUMNS * (height + CAPTION + GAP)
        page.paste(frame, (left, top))
        pen.text((left, top + height + 4), textwrap.fill(prompt, 24), fill=INK)
    return page


if __name__ == "__main__":
    sys.exit(main())
