"""The solvers: fresh for each run, as they keep state between steps."""

from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from wan22_app.domain.generation import GenerationRequest

LEVELS = 1000
"""Noise levels that the models were trained with."""


class Euler:
    """First order, at exactly the noise levels that distilled models were taught.

    The library's own levels reach almost down to 0 and are then shifted: with four steps and a
    shift of 5 that is 1000, 909, 717, 24, where 1000, 937.5, 833.3, 625 are meant. Its memory has
    the names of UniPC's, so that a run is saved, resumed and previewed in one way.
    """

    this_order = 1
    lower_order_nums = 0
    last_sample: torch.Tensor | None = None

    def __init__(self, shift: float):
        self._solver: Any = FlowMatchEulerDiscreteScheduler(shift=shift)
        self.model_outputs: list[torch.Tensor | None] = [None]

    @property
    def timesteps(self) -> torch.Tensor:
        """Noise levels of the steps, in thousandths."""
        return self._solver.timesteps

    def set_timesteps(self, steps: int, device: torch.device) -> None:
        """Evenly spaced from pure noise down to the last step's share, then shifted."""
        sigmas = np.linspace(1.0, 1.0 / steps, steps).tolist()
        self._solver.set_timesteps(sigmas=sigmas, device=device)

    def set_begin_index(self, index: int) -> None:
        """The step to go on with."""
        self._solver.set_begin_index(index)

    def step(
        self, noise: torch.Tensor, t: torch.Tensor, latents: torch.Tensor, *, return_dict: bool
    ) -> tuple[torch.Tensor]:
        """One step; what it foresees as clean is kept for the preview."""
        self.model_outputs = [latents - t / LEVELS * noise]
        return self._solver.step(noise, t, latents, return_dict=return_dict)


def sampler(pipeline: Any, request: GenerationRequest) -> Any:
    """The solver that the request names, with its shift.

    The converted checkpoints carry another shift than the official one, so it is always set.
    """
    if request.sampler == "euler":
        return Euler(shift=request.shift)
    return UniPCMultistepScheduler.from_config(pipeline.scheduler.config, flow_shift=request.shift)
