"""A text is read once: what is kept is what the encoder said, and no one else's."""

import os
import threading
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import Make, Outcome
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.events import Done, Stage
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine
from wan22_app.engine.loading import components, reader_of
from wan22_app.engine.progress import Brake
from wan22_app.engine.shelf import Shelf
from wan22_app.engine.source import from_disk

pytestmark = pytest.mark.slow

WITHOUT_ENCODER = 4
"""Scheduler, VAE and two experts."""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "embeddings"


def run(shelf: Path, work: Work) -> Outcome:
    """In an engine with nothing loaded, as after a restart."""
    Path(work.latents).unlink(missing_ok=True)
    outcome = Outcome()
    Engine(shelf).run(work, outcome.events.append, threading.Event())
    return outcome


def parts_loaded(outcome: Outcome) -> int:
    return outcome.steps(Stage.LOADING)[-1].done


def spoil(checkpoint: Path) -> None:
    """Other weights in the encoder's file, with the size and the time that it had."""
    file = checkpoint / "text_encoder" / "model.safetensors"
    facts = file.stat()
    content = bytearray(file.read_bytes())
    content[-20_000:] = bytes(20_000)
    file.write_bytes(content)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_the_same_texts_need_no_encoder_and_give_the_same_latents(
    work: Make, checkpoint: Path, shelf: Path
) -> None:
    asked = work("demo-t2v", folder=checkpoint, negative_prompt="blue")
    first = run(shelf, asked)
    spoil(checkpoint)
    again = run(shelf, asked)
    assert again.done.latents_sha256 == first.done.latents_sha256
    assert parts_loaded(first) == WITHOUT_ENCODER + 1
    assert parts_loaded(again) == WITHOUT_ENCODER == len(components(asked.entry, asked.plan))
    assert [step.done for step in again.steps(Stage.TEXT)] == [0, 1]
    fresh = run(shelf.with_name("other"), asked)
    assert fresh.done.latents_sha256 != first.done.latents_sha256, "the spoiled one was not read"


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"prompt": "a blue ball"}, 1),
        ({"negative_prompt": "dark"}, 1),
        ({"guidance": 1.0}, 0),
        ({"seed": 8, "steps": 3}, 0),
        ({"precision": "bf16"}, 1),
    ],
)
def test_only_a_new_text_or_type_needs_it(
    work: Make, shelf: Path, change: dict[str, object], more: int
) -> None:
    run(shelf, work("demo-t2v", negative_prompt=""))
    changed = run(shelf, work("demo-t2v", **{"negative_prompt": "", **change}))
    assert isinstance(changed.verdict, Done)
    assert parts_loaded(changed) == WITHOUT_ENCODER + more


def test_a_warm_engine_brings_the_encoder_alone(work: Make, shelf: Path) -> None:
    run(shelf, work("demo-t2v"))
    engine, outcomes = Engine(shelf), [Outcome() for _ in range(4)]
    prompts = ("a red ball", "a red ball", "a green ball", "a white star")
    for outcome, prompt in zip(outcomes, prompts, strict=True):
        asked = work("demo-t2v", prompt=prompt)
        Path(asked.latents).unlink(missing_ok=True)
        engine.run(asked, outcome.events.append, threading.Event())
    loads = [[step.done for step in outcome.steps(Stage.LOADING)] for outcome in outcomes]
    assert loads == [[0, 1, 2, 3, 4], [], [0, 1], []]
    assert len({outcome.done.latents_sha256 for outcome in outcomes}) == 3


def test_another_encoder_reads_anew(work: Make, checkpoint: Path, shelf: Path) -> None:
    asked = work("demo-t2v", folder=checkpoint)
    first = run(shelf, asked)
    spoil(checkpoint)
    os.utime(checkpoint / "text_encoder" / "model.safetensors")
    again = run(shelf, asked)
    assert parts_loaded(again) == WITHOUT_ENCODER + 1
    assert again.done.latents_sha256 != first.done.latents_sha256


def test_a_damaged_file_is_read_anew(work: Make, shelf: Path) -> None:
    asked = work("demo-t2v")
    first = run(shelf, asked)
    for file in shelf.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert run(shelf, asked).done.latents_sha256 == first.done.latents_sha256
    mended = run(shelf, asked)
    assert parts_loaded(mended) == WITHOUT_ENCODER, "it was written anew"


def test_what_cannot_be_kept_is_read_each_time(work: Make, shelf: Path) -> None:
    shelf.write_text("no folder", encoding="utf-8")
    asked = work("demo-t2v")
    first, again = run(shelf, asked), run(shelf, asked)
    assert first.done.latents_sha256 == again.done.latents_sha256
    assert parts_loaded(again) == WITHOUT_ENCODER + 1


def test_rows_are_the_encoders_and_the_rest_is_zero(work: Make, shelf: Path) -> None:
    asked = work("demo-t2v", prompt="a red circle", negative_prompt="blue")
    reader = reader_of(asked.entry, asked.plan, Brake(), Shelf(shelf), from_disk)
    length = DEMO_T2V.text_length
    assert reader.needs_encoder(asked.request, length)
    with torch.no_grad():
        prompt = reader.read(asked.request, length, torch.device("cpu"), torch.float32)
        assert not reader.needs_encoder(asked.request, length)
        kept = reader.read(asked.request, length, torch.device("cpu"), torch.float32)
    assert prompt.negative is not None and kept.negative is not None
    assert prompt.positive.shape == (1, length, 64)
    assert prompt.positive[0, :4].any(-1).all() and not prompt.positive[0, 4:].any()
    assert torch.equal(kept.positive, prompt.positive)
    assert torch.equal(kept.negative, prompt.negative)
    assert not torch.equal(prompt.positive, prompt.negative)


def test_the_folder_stays_small_and_keeps_what_was_used(shelf: Path) -> None:
    rows = torch.ones(10, 64)
    kept = Shelf(shelf, most_bytes=10_000)
    for index, name in enumerate("abc"):
        kept.put(name, rows)
        os.utime(shelf / f"{name}.safetensors", (index, index))
    assert kept.get("a") is not None, "used now: the last to go"
    kept.put("d", rows)
    assert {name for name in "abcd" if kept.get(name) is not None} == {"a", "c", "d"}
    assert sum(path.stat().st_size for path in shelf.iterdir()) <= 10_000
    found = kept.get("d")
    assert found is not None and torch.equal(found, rows)
