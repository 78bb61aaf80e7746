"""Steps that take the prediction of the step before again, where it would hardly be another.

How much it changes is foreseen from how far the latents have moved since, and from how much the
last two predictions differed for their way: the idea of EasyCache (Zhou et al., arXiv 2507.02860).
Nothing is learned beforehand; each expert starts anew, since it knows nothing of the other's
predictions.
"""

from collections.abc import Callable, Mapping

import torch

SEEN, TOLD, SLOPE, EXPERT = "cache_seen", "cache_told", "cache_slope", "cache_expert"


class StepCache:
    """Of one run. ``limit`` is the relative change that is let pass; 0 computes every step."""

    def __init__(self, limit: float):
        self._limit = limit
        self._expert = ""
        self._seen: torch.Tensor | None = None
        self._told: torch.Tensor | None = None
        self._slope: float | None = None

    def predict(
        self,
        expert: str,
        latents: torch.Tensor,
        compute: Callable[[], torch.Tensor],
        *,
        last: bool,
    ) -> torch.Tensor:
        """The prediction for these latents, the one before or a new one; the last step is new."""
        if not self._limit:
            return compute()
        if expert != self._expert:
            self._expert, self._seen, self._told, self._slope = expert, None, None, None
        if self._told is not None and not last and self._change(latents) < self._limit:
            return self._told
        told = compute()
        if self._seen is not None and self._told is not None:
            self._slope = _size(told - self._told) / max(_size(latents - self._seen), 1e-12)
        self._seen, self._told = latents, told
        return told

    def memory(self) -> dict[str, torch.Tensor]:
        """What a run that goes on needs to know."""
        if self._seen is None or self._told is None:
            return {}
        slope = torch.tensor(
            float("nan") if self._slope is None else self._slope, dtype=torch.float64
        )
        expert = torch.tensor(list(self._expert.encode()), dtype=torch.uint8)
        return {SEEN: self._seen, TOLD: self._told, SLOPE: slope, EXPERT: expert}

    def restore(self, memory: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Be as an earlier run was after its saved step."""
        if SEEN not in memory:
            return
        self._seen, self._told = memory[SEEN].to(device), memory[TOLD].to(device)
        slope = float(memory[SLOPE])
        self._slope = None if slope != slope else slope
        self._expert = bytes(memory[EXPERT].tolist()).decode()

    def _change(self, latents: torch.Tensor) -> float:
        """Foreseen since the last prediction that was computed, over its size."""
        if self._slope is None or self._seen is None or self._told is None:
            return float("inf")
        return self._slope * _size(latents - self._seen) / max(_size(self._told), 1e-12)


def _size(tensor: torch.Tensor) -> float:
    return float(tensor.float().abs().mean())
