"""A draft ends after some of its steps; its rest ends as an undisturbed run does."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.engine.conftest import Generate, Make
from wan22_app.adapters.latents import FolderLatents
from wan22_app.domain.events import Cancelled, Drafted, Event, Failed, Resumed, Stage
from wan22_app.engine.engine import Engine

pytestmark = pytest.mark.slow

CASES = [("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True)]
STEPS, UNTIL = 8, 2


@pytest.mark.parametrize(("key", "image"), CASES)
@pytest.mark.parametrize("step_cache", [0.0, 0.3])
def test_what_goes_on_ends_with_the_latents_of_an_undisturbed_run(
    generate: Generate, key: str, image: bool, step_cache: float
) -> None:
    settings = {"image": image, "steps": STEPS, "step_cache": step_cache}
    whole = generate(key, **settings).done
    draft = generate(key, until=UNTIL, **settings)
    assert isinstance(draft.verdict, Drafted)
    assert draft.verdict.step == UNTIL
    assert [event.done for event in draft.steps(Stage.DENOISING)] == list(range(UNTIL + 1))
    assert {event.total for event in draft.steps(Stage.DENOISING)} == {UNTIL}
    assert not draft.steps(Stage.DECODING), "the VAE is what takes the memory"
    rest = generate(key, again=True, **settings)
    assert [event.done for event in rest.steps(Stage.DENOISING)] == list(range(UNTIL, STEPS + 1))
    assert rest.done.latents_sha256 == whole.latents_sha256


def test_it_shows_a_moving_preview(generate: Generate) -> None:
    verdict = generate("demo-t2v", until=1).verdict
    assert isinstance(verdict, Drafted)
    with Image.open(verdict.preview) as preview:
        assert preview.format == "WEBP"
        assert preview.size == (8, 8), "a pixel for each cell of 64 by 64"
        assert getattr(preview, "n_frames", 1) == 3


def test_the_step_is_saved_however_short_the_last_save_is_ago(work: Make, tmp_path: Path) -> None:
    """A run saves twice a minute; a draft is over before."""
    latents = FolderLatents(tmp_path)
    engine = Engine(tmp_path / "embeddings", save_every_s=3600.0)
    engine.run(work("demo-t2v", until=3), lambda _: None, threading.Event())
    found = latents.path("latents")
    assert found.is_file()
    assert not latents.finished("latents"), "nothing for the decoder alone"


def test_killed_behind_its_last_step_it_is_made_from_what_is_saved(generate: Generate) -> None:
    """The process died between the save and the verdict; staging was cleared."""
    first = generate("demo-t2v", until=UNTIL, steps=STEPS).verdict
    assert isinstance(first, Drafted)
    Path(first.preview).unlink()
    second = generate("demo-t2v", again=True, until=UNTIL, steps=STEPS)
    assert isinstance(second.verdict, Drafted)
    assert Path(second.verdict.preview).is_file()
    resumed = [event.step for event in second.events if isinstance(event, Resumed)]
    assert resumed == [UNTIL]


def test_a_draft_that_cannot_be_saved_is_none(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "latents.part").mkdir()
    outcome = generate("demo-t2v", until=UNTIL)
    assert isinstance(outcome.verdict, Failed)
    assert (outcome.failed.kind, outcome.failed.problem.code) == ("device", "draft_unsaved")


def test_it_can_be_cancelled(generate: Generate) -> None:
    outcome = generate("demo-t2v", Stage.DENOISING, 1, until=3)
    assert isinstance(outcome.verdict, Cancelled)


def test_without_colours_it_is_a_draft_all_the_same(work: Make, tmp_path: Path) -> None:
    """Nothing could be fitted, say for want of memory: what was computed is worth no less."""

    def refuse(module: torch.nn.Module, _: Any) -> None:
        if type(module).__name__ == "WanEncoder3d":
            raise RuntimeError("no memory for it")

    engine, events = Engine(tmp_path / "embeddings"), list[Event]()
    hook = register_module_forward_pre_hook(refuse)
    try:
        engine.run(work("demo-t2v", until=UNTIL, steps=STEPS), events.append, threading.Event())
    finally:
        hook.remove()
    draft = events[-1]
    assert isinstance(draft, Drafted), draft
    with Image.open(draft.preview) as grey:
        assert grey.convert("RGB").getextrema() == ((128, 128),) * 3
    rest = list[Event]()
    engine.run(work("demo-t2v", steps=STEPS), rest.append, threading.Event())
    assert [event.step for event in rest if isinstance(event, Resumed)] == [UNTIL]
