"""Ways to compute attention: the trial of one, and how a transformer is told to use it."""

import argparse
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models import attention_dispatch

from wan22_app.domain.attention import BACKENDS, MOST_ERROR, NATIVE
from wan22_app.domain.catalog import Attention
from wan22_app.domain.trials import Tried
from wan22_app.engine.trials import PATIENCE_S, number, seconds

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
LENGTH = {"cuda": 8192, "cpu": 256}
"""Tokens of a trial."""


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
        found = _attend(name, *half).float()
    except Exception as error:
        # Missing kernels, wrong builds, cards that are too old: each library has its own way.
        return Tried(name=name, passed=False, why=f"{type(error).__name__}: {error}"[:200])
    distance = float((found - exact).norm() / exact.norm())
    most = MOST_ERROR[BACKENDS[name].lossy]
    if not distance <= most:  # which "not a number" is not, either
        why = f"its result is off by {distance:.3f} where {most} is allowed"
        return Tried(name=name, passed=False, error=number(distance), why=why)

    def timed(way: Attention) -> float:
        return seconds(lambda: _attend(way, *half))

    times = None
    if device.type == "cuda" and name != NATIVE:
        times = round(timed(NATIVE) / timed(name), 2)
    return Tried(name=name, passed=True, error=number(distance), times=times)


def _attend(
    name: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad():
        return attention_dispatch.dispatch_attention_fn(
            query, key, value, backend=attention_dispatch.AttentionBackendName(NAMES[name])
        )


def main() -> None:
    """Try one way and print what was found."""
    parser = argparse.ArgumentParser(prog="wan22_app.engine.attention")
    parser.add_argument("name", choices=BACKENDS)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    # Whoever waits for it may be killed: a library that hangs must not keep the card's memory.
    limit = threading.Timer(PATIENCE_S, os._exit, (1,))
    limit.daemon = True
    limit.start()
    sys.stdout.write(tried(args.name, torch.device(args.device)).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
