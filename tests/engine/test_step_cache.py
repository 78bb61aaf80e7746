"""Steps that take the prediction before again: which, how near, and equal when resumed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.engine.conftest import NATIVE, Generate
from tests.values import PLAN
from wan22_app.domain.events import Cancelled, Stage
from wan22_app.engine.engine import Engine
from wan22_app.engine.step_cache import StepCache

pytestmark = pytest.mark.slow

MANY = {"steps": 20, "step_cache": 0.2}


class Steps:
    """A run whose predictions are one vector plus ``bend`` times the latents."""

    def __init__(self, limit: float, bend: float):
        self.cache, self.bend = StepCache(limit), bend
        self.computed: list[int] = []

    def take(self, number: int, expert: str = "high", *, last: bool = False) -> torch.Tensor:
        latents = torch.full((4,), float(number))

        def compute() -> torch.Tensor:
            self.computed.append(number)
            return 10 + self.bend * latents

        return self.cache.predict(expert, latents, compute, last=last)


def test_without_a_limit_every_step_is_computed() -> None:
    steps = Steps(0.0, bend=0.0)
    for number in range(6):
        steps.take(number)
    assert steps.computed == list(range(6))


def test_two_predictions_show_how_fast_they_change_and_then_steps_are_saved() -> None:
    steps = Steps(0.25, bend=1.0)
    told = [float(steps.take(number)[0]) for number in range(8)]
    # After step 1 it is 11 and changes by 1 a step: two steps are less than a quarter of it.
    assert steps.computed == [0, 1, 4]
    assert told[:5] == [10, 11, 11, 11, 14]


def test_what_changes_fast_is_computed_each_time() -> None:
    steps = Steps(0.25, bend=10.0)
    for number in range(4):
        steps.take(number)
    assert steps.computed == [0, 1, 2, 3]


def test_the_last_step_is_computed_and_each_expert_starts_anew() -> None:
    steps = Steps(0.9, bend=0.1)
    for number in range(4):
        steps.take(number)
    for number in range(4, 7):
        steps.take(number, "low")
    steps.take(7, "low", last=True)
    assert steps.computed == [0, 1, 4, 5, 7]


def test_an_earlier_runs_memory_goes_on_as_it_was() -> None:
    whole, first = Steps(0.25, bend=1.0), Steps(0.25, bend=1.0)
    told = [float(whole.take(number)[0]) for number in range(8)]
    for number in range(3):
        first.take(number)
    rest = Steps(0.25, bend=1.0)
    rest.cache.restore(first.cache.memory(), torch.device("cpu"))
    assert [float(rest.take(number)[0]) for number in range(3, 8)] == told[3:]


def latents_of(tmp_path: Path) -> torch.Tensor:
    return load_file(tmp_path / "latents.safetensors")["latents"]


def test_fewer_forwards_come_near_to_all_of_them(
    generate: Generate, engine: Engine, tmp_path: Path
) -> None:
    generate("demo-t2v", steps=20, **NATIVE)
    exact = latents_of(tmp_path)
    assert engine._loaded is not None and engine._loaded.text is not None
    calls: list[int] = []
    hooks = [
        module.register_forward_pre_hook(lambda *_: calls.append(1))
        for module in (engine._loaded.text.transformer, engine._loaded.text.transformer_2)
    ]
    try:
        generate("demo-t2v", **MANY, **NATIVE)
    finally:
        for hook in hooks:
            hook.remove()
    assert len(calls) <= 2 * 15, "two a step with guidance, for 20 steps"
    distance = float((latents_of(tmp_path) - exact).norm() / exact.norm())
    assert 0 < distance < 0.3, distance


@pytest.mark.parametrize(("key", "image"), [("demo-t2v", False), ("demo-ti2v", True)])
def test_a_run_that_was_stopped_ends_at_equal_latents(
    generate: Generate, key: str, image: bool
) -> None:
    whole = generate(key, image=image, **MANY).done
    assert whole.latents_sha256 != generate(key, image=image, steps=20).done.latents_sha256
    for step in (5, 11, 16):
        stopped = generate(key, Stage.DENOISING, step, image=image, **MANY)
        assert isinstance(stopped.verdict, Cancelled)
        rest = generate(key, again=True, image=image, **MANY)
        assert rest.steps(Stage.DENOISING)[0].done > 0, "it went on"
        assert rest.done.latents_sha256 == whole.latents_sha256


def test_with_one_part_in_memory_the_same_steps_are_saved(generate: Generate) -> None:
    one = PLAN.model_copy(update={"keep": "one"})
    whole = generate("demo-t2v", **MANY).done
    assert generate("demo-t2v", plan=one, **MANY).done.latents_sha256 == whole.latents_sha256
