"""What a block does between its matrices: operation by operation, or compiled into one kernel each.

Eager, a norm with its modulation goes over the tokens six times, half of that in fp32. Compiled it
reads and writes them once. Matrices, attention, and all that offload, quantization and LoRAs put
around them stay outside, so a compiled region works with every placement and is compiled once.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx.experimental import _config
from torch.nn import functional

from wan22_app.domain.catalog import Compilation
from wan22_app.domain.compilation import MOST_ERROR
from wan22_app.domain.trials import Tried
from wan22_app.engine.trials import LENGTH, answer, judged, seconds

WIDTH, HEADS = 1536, 12


def modulated(part: Tensor, norm: "Norm", shift: Tensor, scale: Tensor) -> Tensor:
    """A norm's result in fp32, scaled and shifted; ``part`` is ``[B, L, D]``."""
    return (normed(part.float(), norm) * (1 + scale) + shift).type_as(part)


def normed(part: Tensor, norm: "Norm") -> Tensor:
    """Layer norm, computed in fp32."""
    weight = None if norm.weight is None else norm.weight.float()
    bias = None if norm.bias is None else norm.bias.float()
    found = functional.layer_norm(part.float(), part.shape[-1:], weight, bias, norm.eps)
    return found.type_as(part)


def gated(part: Tensor, out: Tensor, gate: Tensor) -> Tensor:
    """The residual and what comes to it."""
    return (part.float() + out.float() * gate).type_as(part)


def rotated(part: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding; ``part`` is ``[B, L, heads, D / heads]``."""
    even, odd = part.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.empty_like(part)
    turned[..., 0::2] = even * cos - odd * sin
    turned[..., 1::2] = even * sin + odd * cos
    return turned


class Norm(NamedTuple):
    """A layer norm's own numbers: a module would be compiled anew for each block."""

    weight: Tensor | None
    bias: Tensor | None
    eps: float

    @classmethod
    def of(cls, module: Any) -> "Norm":
        """Of a module, with its weights where they are now."""
        weights = (module.weight, module.bias)
        # Parameters are taken to be of one size for ever, and are told apart from what moved.
        weight, bias = (each if each is None else each.detach() for each in weights)
        return cls(weight, bias, module.eps)


class Regions(NamedTuple):
    """One way to compute them."""

    modulated: Callable[[Tensor, Norm, Tensor, Tensor], Tensor]
    normed: Callable[[Tensor, Norm], Tensor]
    gated: Callable[[Tensor, Tensor, Tensor], Tensor]
    rotated: Callable[[Tensor, Tensor, Tensor], Tensor]


EAGER = Regions(modulated, normed, gated, rotated)


@cache
def compiled() -> Regions:
    """Compiled at their first use, for sequences of any length."""
    # Lengths that happen to be equal at first would be taken to be equal for ever.
    _config.use_duck_shape = False
    fused: list[Any] = [torch.compile(each, dynamic=True) for each in EAGER]
    return Regions(*fused)


REGIONS: Mapping[Compilation, Callable[[], Regions]] = {
    "none": lambda: EAGER,
    "regional": compiled,
}


@torch.no_grad()
def tried(name: Compilation, device: torch.device) -> Tried:
    """Random numbers in bf16, beside fp32 and against the time of single operations."""
    chance = torch.Generator("cpu").manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance).to(device)

    length = LENGTH[device.type]
    part, rows = drawn(1, length, WIDTH), [drawn(1, 1, WIDTH) for _ in range(3)]
    turns = [drawn(1, length, 1, WIDTH // HEADS // 2) for _ in range(2)]
    norm = Norm(drawn(WIDTH), drawn(WIDTH), 1e-6)

    def work(regions: Regions, tokens: Tensor) -> Tensor:
        first = regions.modulated(regions.normed(tokens, norm), norm, *rows[:2])
        turned = regions.rotated(first.unflatten(2, (HEADS, -1)), *turns)
        return regions.gated(tokens, turned.flatten(2), rows[2])

    half = part.bfloat16()
    try:
        exact, found = work(EAGER, part), work(REGIONS[name](), half)
    except Exception as error:
        # No compiler, no triton, a card that it does not know: each has its own way to say so.
        return Tried(name=name, passed=False, why=f"{type(error).__name__}: {error}"[:200])
    verdict = judged(name, found, exact, MOST_ERROR)
    if not verdict.passed or device.type != "cuda":
        return verdict
    eager, fused = (seconds(lambda r=r: work(r, half)) for r in (EAGER, REGIONS[name]()))
    return verdict.model_copy(update={"times": round(eager / fused, 2)})


if __name__ == "__main__":
    answer("wan22_app.engine.regions", ["regional"], tried)
