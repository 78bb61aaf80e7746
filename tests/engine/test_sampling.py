"""Four steps at exactly the noise levels that distilled models were taught."""

import pytest
import torch

from tests.engine.conftest import Generate, Make
from wan22_app.domain.events import Cancelled, Stage
from wan22_app.engine.sampling import Euler, sampler


class Pipeline:
    """What a sampler asks of a pipeline: nothing, for Euler."""


def test_four_steps_are_those_of_the_distilled_models(work: Make) -> None:
    request = work("demo-t2v", steps=4, shift=5.0, sampler="euler").request
    solver = sampler(Pipeline(), request)
    solver.set_timesteps(4, torch.device("cpu"))
    assert solver.timesteps.tolist() == pytest.approx([1000, 937.5, 2500 / 3, 625])
    assert [bool(t >= 875) for t in solver.timesteps] == [True, True, False, False]


def test_a_straight_path_is_followed_exactly() -> None:
    """Where the prediction is right at every level, any number of steps ends at the clean one."""
    clean, noise = torch.randn(2, 3), torch.randn(2, 3)
    for steps in (1, 4, 7):
        solver, latents = Euler(shift=5.0), noise.clone()
        solver.set_timesteps(steps, torch.device("cpu"))
        solver.set_begin_index(0)
        for t in solver.timesteps:
            latents = solver.step(noise - clean, t, latents, return_dict=False)[0]
            assert torch.allclose(solver.model_outputs[-1], clean, atol=1e-5)
        assert torch.allclose(latents, clean, atol=1e-5)


def test_another_sampler_is_another_video_and_the_same_one_twice(generate: Generate) -> None:
    euler = {"steps": 4, "shift": 5.0, "sampler": "euler"}
    first = generate("demo-t2v", **euler).done.latents_sha256
    assert generate("demo-t2v", **euler).done.latents_sha256 == first
    assert generate("demo-t2v", steps=4, shift=5.0).done.latents_sha256 != first


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_run_that_was_stopped_goes_on_to_the_same_latents(generate: Generate, step: int) -> None:
    euler = {"steps": 4, "shift": 5.0, "sampler": "euler"}
    whole = generate("demo-t2v", **euler).done.latents_sha256
    stopped = generate("demo-t2v", Stage.DENOISING, step, **euler)
    assert isinstance(stopped.verdict, Cancelled)
    rest = generate("demo-t2v", again=True, **euler)
    assert rest.steps(Stage.DENOISING)[0].done >= 1, "it went on, it did not start over"
    assert rest.done.latents_sha256 == whole
