"""A run goes on where an earlier one was stopped, and ends with the very same latents."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.engine.conftest import Generate, Make, Outcome
from tests.values import PLAN
from wan22_app.adapters.files import read_recipe
from wan22_app.adapters.latents import FolderLatents
from wan22_app.domain.events import Cancelled, Done, Event, Failed, Resumed, Stage
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine, latents_sha256
from wan22_app.engine.saved import basis
from wan22_app.services.story import CHANGES

pytestmark = pytest.mark.slow

CASES = [("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True)]
STEPS = 6


def resumed(outcome: Outcome) -> Resumed | None:
    return next((event for event in outcome.events if isinstance(event, Resumed)), None)


@pytest.mark.parametrize(("key", "image"), CASES)
@pytest.mark.parametrize("step", [1, 2, 3, 5, STEPS])
def test_stopped_after_any_step_it_ends_as_if_undisturbed(
    generate: Generate, key: str, image: bool, step: int
) -> None:
    whole = generate(key, image=image, steps=STEPS).done
    stopped = generate(key, Stage.DENOISING, step, image=image, steps=STEPS)
    assert isinstance(stopped.verdict, Cancelled)
    rest = generate(key, again=True, image=image, steps=STEPS)
    found = resumed(rest)
    assert found is not None
    # A step while an earlier one is still being written is not saved: nothing waits for the disk.
    assert 1 <= found.step <= step
    assert (found.total, found.changed) == (STEPS, ())
    done = [event.done for event in rest.steps(Stage.DENOISING)]
    assert done == list(range(found.step, STEPS + 1))
    assert rest.done.latents_sha256 == whole.latents_sha256


def test_a_decode_is_done_again_alone(generate: Generate) -> None:
    whole = generate("demo-t2v").done
    first = Path(whole.video).read_bytes()
    assert isinstance(generate("demo-t2v", Stage.DECODING).verdict, Cancelled)
    rest = generate("demo-t2v", again=True)
    assert not rest.steps(Stage.TEXT)
    assert not rest.steps(Stage.DENOISING)
    assert rest.done.latents_sha256 == whole.latents_sha256
    assert Path(rest.done.video).read_bytes() == first


@contextmanager
def no_memory_for_the_decoder() -> Iterator[None]:
    """The real decoder raises what a full machine raises."""

    def refuse(module: torch.nn.Module, _: Any) -> None:
        if type(module).__name__ == "WanDecoder3d":
            raise MemoryError

    hook = register_module_forward_pre_hook(refuse)
    try:
        yield
    finally:
        hook.remove()


def run(engine: Engine, work: Work) -> list[Event]:
    events: list[Event] = []
    engine.run(work, events.append, threading.Event())
    return events


def pictures(video: str) -> np.ndarray[Any, Any]:
    with av.open(video, format="mp4") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize(("key", "image"), CASES)
def test_what_failed_in_decoding_is_decoded_again_by_another_job(
    engine: Engine, generate: Generate, work: Make, tmp_path: Path, key: str, image: bool
) -> None:
    whole = generate(key, image=image).done
    undisturbed = pictures(whole.video)
    old = work(key, image=image)
    Path(old.latents).unlink()
    with no_memory_for_the_decoder():
        failed = run(engine, old)[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.problem.what) == (
        "memory", "The machine ran out of memory while decoding.",
    )  # fmt: skip
    assert FolderLatents(tmp_path).finished(Path(old.latents).stem)
    child = old.model_copy(update={"job_id": "1" * 32, "parent": old.job_id})
    events = run(engine, child)
    stages = {str(getattr(event, "stage", "")) for event in events}
    assert stages.isdisjoint({"text", "image", "denoising"})
    done = events[-1]
    assert isinstance(done, Done)
    assert done.latents_sha256 == whole.latents_sha256
    assert (pictures(done.video) == undisturbed).all()
    recipe = read_recipe(Path(done.video))
    assert recipe is not None
    assert (recipe.parent, recipe.request) == (old.job_id, old.request)


def test_smaller_tiles_cost_no_denoising_where_there_is_an_image(
    generate: Generate, work: Make
) -> None:
    whole = generate("demo-i2v", image=True, width=128, height=128).done
    smaller = PLAN.model_copy(update={"tile": 64})
    rest = generate("demo-i2v", again=True, image=True, plan=smaller, width=128, height=128)
    assert not rest.steps(Stage.DENOISING)
    assert rest.done.latents_sha256 == whole.latents_sha256
    # In the middle of denoising the image's own tiles still count.
    generate("demo-i2v", Stage.DENOISING, 2, image=True, width=128, height=128)
    found = resumed(
        generate("demo-i2v", again=True, image=True, plan=smaller, width=128, height=128)
    )
    assert found is not None
    assert (found.step, found.changed) == (0, ("tile",))


def test_half_denoised_latents_wait_for_more_than_the_decoder(
    generate: Generate, work: Make, tmp_path: Path
) -> None:
    generate("demo-t2v", Stage.DENOISING, 2)
    assert Path(work("demo-t2v").latents).exists()
    assert not FolderLatents(tmp_path).finished("latents")
    assert not FolderLatents(tmp_path).finished("none")


def test_the_seconds_are_those_of_all_runs(generate: Generate) -> None:
    before = generate("demo-t2v", Stage.DECODING)
    spent = [event.seconds for event in before.steps(Stage.DENOISING)]
    after = generate("demo-t2v", again=True).done
    # Both ends of the stage are told, so the sum lies between what they enclose.
    assert after.seconds["denoising"] >= round(spent[-1] - spent[0], 3) - 0.01
    assert after.seconds["denoising"] > 0


def test_other_tiles_and_other_offload_use_the_same_latents(generate: Generate) -> None:
    generate("demo-t2v", Stage.DECODING)
    plan = PLAN.model_copy(update={"tile": 32, "offload": "block", "chunk": 64})
    found = resumed(generate("demo-t2v", again=True, plan=plan))
    assert found is not None
    assert found.step == found.total


def test_what_changes_the_numbers_starts_over_and_says_so(generate: Generate) -> None:
    other = generate("demo-t2v", precision="bf16").done
    generate("demo-t2v", Stage.DENOISING, 2)
    rest = generate("demo-t2v", again=True, precision="bf16")
    found = resumed(rest)
    assert found is not None
    assert (found.step, set(found.changed)) == (0, {"request", "precision"})
    assert rest.done.latents_sha256 == other.latents_sha256


def test_other_chunks_round_otherwise_and_start_over(generate: Generate, work: Make) -> None:
    generate("demo-t2v", Stage.DENOISING, 2)
    plan = PLAN.model_copy(update={"chunk": 64})
    found = resumed(generate("demo-t2v", again=True, plan=plan))
    assert found is not None
    assert (found.step, found.changed) == (0, ("chunk",))
    assert set(basis(work("demo-t2v"), {})) == set(CHANGES), "each has its words"


def test_a_damaged_file_starts_over(generate: Generate, work: Make) -> None:
    whole = generate("demo-t2v").done
    generate("demo-t2v", Stage.DENOISING, 2)
    path = Path(work("demo-t2v").latents)
    path.write_bytes(path.read_bytes()[:-10])
    rest = generate("demo-t2v", again=True)
    assert resumed(rest) == Resumed(job_id="0" * 32, step=0, total=4, changed=("file",))
    assert rest.done.latents_sha256 == whole.latents_sha256


def test_a_full_disk_costs_the_save_and_not_the_run(
    generate: Generate, work: Make, tmp_path: Path
) -> None:
    # A folder in the file's place: every save fails, whoever runs the test.
    Path(work("demo-t2v").latents).with_suffix(".part").mkdir()
    assert generate("demo-t2v").done
    assert not Path(work("demo-t2v").latents).exists()


def test_final_latents_are_what_the_recipe_hashes(generate: Generate, work: Make) -> None:
    done = generate("demo-t2v").done
    (latents,) = load_file(work("demo-t2v").latents).values()
    assert latents.dtype is torch.float32
    assert latents_sha256(latents) == done.latents_sha256
