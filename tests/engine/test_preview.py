"""Previews: what latents look like, a picture after each step, and nothing of it in the video."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from PIL import Image

from tests.engine.conftest import Generate, Make
from tools.demo.clips import encode
from tools.demo.networks import scale_of
from tools.demo.scenes import COLOURS, Scene, Thing, render
from wan22_app.domain.events import Advanced, Done, Event, Stage
from wan22_app.engine import preview as previews
from wan22_app.engine.engine import Engine
from wan22_app.engine.preview import coloured, fit_colours
from wan22_app.engine.shelf import Shelf

pytestmark = pytest.mark.slow

PREVIEW = "0" * 32 + ".1.preview.part"


def scene(colour: str) -> Scene:
    box = (0.0, 0.0, 128.0, 128.0)
    thing = Thing(colour, "circle", "growing", 64.0, 64.0, 28.0, box)
    return Scene(128, 128, "grey", (thing,))


@pytest.mark.parametrize("task", ["t2v", "ti2v"])
def test_the_colours_of_latents_are_those_of_the_picture(demo_models: Path, task: str) -> None:
    """Fitted to the checkpoint's VAE with pictures that the app draws itself."""
    folder = demo_models / "demo" / task / "vae"
    vae = AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.float32)
    config: Any = vae.config
    scale = scale_of(config.scale_factor_spatial)
    with torch.no_grad():
        colours = fit_colours(vae, torch.device("cpu"))
        for name in ("red", "cyan", "blue", "white"):
            latents = encode(vae, render(scene(name), 17, scale=scale)[None])
            shown = coloured(latents, colours)
            assert shown.shape == (5, *latents.shape[-2:], 3)
            assert shown.dtype == np.uint8
            middle = shown.shape[1] // 2
            seen = shown[:, middle - 1 : middle + 1, middle - 1 : middle + 1].mean((0, 1, 2)) / 255
            nearest = min(COLOURS, key=lambda each: float(np.abs(seen - COLOURS[each]).sum()))
            assert nearest == name, seen


def test_each_step_has_a_picture_of_what_is_coming_not_of_the_noise(
    work: Make, tmp_path: Path
) -> None:
    engine, task = Engine(tmp_path / "shelf"), work("demo-t2v", steps=6)
    path = Path(task.staging) / PREVIEW

    def seen_after(steps: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        stop = threading.Event()

        def emit(event: Event) -> None:
            if isinstance(event, Advanced) and event.stage is Stage.DENOISING:
                if event.done == steps:
                    stop.set()
            elif isinstance(event, Advanced) and event.stage is Stage.DECODING:
                assert path.is_file(), "it is shown while the video is decoded"

        Path(task.latents).unlink(missing_ok=True)
        engine.run(task, emit, stop)
        return decoded(path)

    first, last_but_one, final = (seen_after(steps) for steps in (1, 5, 7))
    assert final.shape == (3, 8, 8, 3), "a moving picture, one pixel for a cell"
    # The latents themselves are six tenths noise after five of six steps.
    away = [float(np.abs(picture - final).mean()) for picture in (first, last_but_one)]
    assert 0 < away[1] < 0.5 * away[0]
    assert not list(tmp_path.glob("*.next.part"))


def decoded(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Frames ``[T, h, w, 3]`` of the newest preview."""
    with Image.open(path) as picture:
        frames: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB"), dtype=np.float64))
    return np.stack(frames)


def test_previews_change_nothing_and_cost_no_run(
    generate: Generate, work: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate("demo-t2v").done.latents_sha256

    def out_of_memory(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("wan22_app.engine.engine.fit_colours", out_of_memory)
    seen: list[Event] = []
    task = work("demo-t2v")
    preview = Path(task.staging) / PREVIEW
    preview.unlink(missing_ok=True)
    Path(task.latents).unlink(missing_ok=True)
    Engine(tmp_path / "none").run(task, seen.append, threading.Event())
    assert isinstance(seen[-1], Done)
    assert seen[-1].latents_sha256 == whole
    assert not preview.exists()


def test_a_disk_that_refuses_them_costs_no_run(work: Make, tmp_path: Path) -> None:
    seen: list[Event] = []
    task = work("demo-t2v")
    (Path(task.staging) / PREVIEW).mkdir()
    Engine(tmp_path / "shelf").run(task, seen.append, threading.Event())
    assert isinstance(seen[-1], Done)


def test_the_colours_are_fitted_once_for_a_vae(demo_models: Path, tmp_path: Path) -> None:
    shelf, asked = Shelf(tmp_path), list[int]()

    def fitting() -> torch.Tensor:
        asked.append(1)
        return torch.zeros(2, 17, 3)

    for _ in range(2):
        kept = previews.kept_colours(shelf, demo_models / "demo" / "t2v", fitting)
        assert kept is not None and kept.shape == (2, 17, 3)
    assert len(asked) == 1
    previews.kept_colours(shelf, demo_models / "demo" / "ti2v", fitting)
    assert len(asked) == 2, "another VAE has other colours"
