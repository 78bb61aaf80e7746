"""Ways to compute attention: the trial of one, and how a transformer is told to use it."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models import attention_dispatch

from wan22_app.domain.attention import BACKENDS, MOST_ERROR, NATIVE
from wan22_app.domain.catalog import Attention
from wan22_app.domain.trials import Tried
from wan22_app.engine.trials import LENGTH, answer, judged, seconds

NAMES: Mapping[Attention, str] = {
    "native": "native",
    "cudnn": "_native_cudnn",
    "flash": "flash",
    "flash3": "_flash_3",
    "xformers": "xformers",
    "sage": "sage",
}
"""What diffusers calls them."""
HEADS, WIDTH = 12, 128


def use(transformer: Any, name: Attention) -> None:
    """Let self-attention be computed so; that over the text is short and stays torch's own."""
    backend = attention_dispatch.AttentionBackendName(NAMES[name])
    for block in transformer.blocks:
        block.attn1.processor._attention_backend = backend


def tried(name: Attention, device: torch.device) -> Tried:
    """Compute with random numbers, beside fp32 on the same card and torch's own in bf16."""
    length = LENGTH[device.type]
    chance = torch.Generator("cpu").manual_seed(0)
    query, key, value = (
        torch.randn(1, length, HEADS, WIDTH, generator=chance).to(device) for _ in range(3)
    )
    half = [part.bfloat16() for part in (query, key, value)]
    try:
        exact = _attend(NATIVE, query, key, value)
        found = _attend(name, *half)
    except Exception as error:
        # Missing kernels, wrong builds, cards that are too old: each library has its own way.
        return Tried(name=name, passed=False, why=f"{type(error).__name__}: {error}"[:200])
    verdict = judged(name, found, exact, MOST_ERROR[BACKENDS[name].lossy])
    if not verdict.passed or device.type != "cuda" or name == NATIVE:
        return verdict

    def timed(way: Attention) -> float:
        return seconds(lambda: _attend(way, *half))

    return verdict.model_copy(update={"times": round(timed(NATIVE) / timed(name), 2)})


def _attend(
    name: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad():
        return attention_dispatch.dispatch_attention_fn(
            query, key, value, backend=attention_dispatch.AttentionBackendName(NAMES[name])
        )


if __name__ == "__main__":
    answer("wan22_app.engine.attention", BACKENDS, tried)
