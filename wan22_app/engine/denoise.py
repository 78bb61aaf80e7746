"""The denoising loop. Our own, so that progress, cancel and resume are one mechanism."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch

from wan22_app.domain.generation import GenerationRequest
from wan22_app.engine.progress import Expert
from wan22_app.engine.sampling import sampler
from wan22_app.engine.saved import Saved, Store, restore
from wan22_app.engine.step_cache import StepCache
from wan22_app.engine.tasks import Task, timesteps
from wan22_app.engine.text import Prompt

OnStep = Callable[[Expert], None]
Show = Callable[[torch.Tensor], None]
"""Gets the clean latents that the sampler foresees after a step."""
ExpertAt = Callable[[Literal["high", "low"]], Any]
"""The transformer for these noise levels; a model with one expert has only the first."""


def denoise(
    pipeline: Any,
    expert_at: ExpertAt,
    task: Task,
    prompt: Prompt,
    request: GenerationRequest,
    on_step: OnStep,
    show: Show,
    store: Store,
    saved: Saved | None = None,
    until: int = 0,
) -> torch.Tensor:
    """Final latents ``[1, C, T, H, W]``, fp32, normalised; goes on after what was saved.

    With ``until`` it ends after that step, saved for another run that goes on from there.
    """
    solver = sampler(pipeline, request)
    solver.set_timesteps(request.steps, device=task.start.device)
    solver.set_begin_index(0)
    boundary = _boundary(pipeline)
    latents, first, cache = task.start, 0, StepCache(request.step_cache)
    if saved is not None:
        restore(solver, saved)
        latents, first = saved.latents.to(task.start.device), saved.step
        cache.restore(saved.memory, latents.device)
        show(task.finish(solver.model_outputs[-1]))
    for step, t in enumerate(solver.timesteps[first : until or None], first + 1):
        high = boundary is None or t >= boundary
        scale = request.guidance if high else (request.guidance_low or request.guidance)
        # No name for the transformer here: it would keep one alive while the next is read.
        name = "high" if high else "low"
        noise = cache.predict(
            name, latents,
            partial(_predict, expert_at, name, task, prompt, latents, t, scale),
            last=step == request.steps,
        )  # fmt: skip
        latents = solver.step(noise, t, latents, return_dict=False)[0]
        store.step(solver, latents, step, cache.memory(), must=step == until)
        show(task.finish(solver.model_outputs[-1]))
        on_step("" if boundary is None else "high" if high else "low")
    return task.finish(latents)


def _boundary(pipeline: Any) -> float | None:
    """The timestep below which the low-noise expert takes over."""
    ratio = pipeline.config.boundary_ratio
    return None if ratio is None else ratio * pipeline.scheduler.config.num_train_timesteps


def _predict(
    expert_at: ExpertAt,
    name: Literal["high", "low"],
    task: Task,
    prompt: Prompt,
    latents: torch.Tensor,
    t: torch.Tensor,
    scale: float,
) -> torch.Tensor:
    """One prediction, guided when there is a negative prompt."""
    transformer = expert_at(name)
    seen = task.model_input(latents).to(transformer.dtype)
    time = timesteps(task, t)

    def forward(side: str, text: torch.Tensor) -> torch.Tensor:
        with transformer.cache_context(side):
            return transformer(seen, time, text, given=task.given)

    positive = forward("cond", prompt.positive)
    if prompt.negative is None:
        return positive
    negative = forward("uncond", prompt.negative)
    return negative + scale * (positive - negative)
