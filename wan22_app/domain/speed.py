"""Speeds of the form: as a model's makers say, or faster and lossy.

Balanced computes matrices in eight bits, and attention where the card can, Fast skips steps besides
(see ``engine.step_cache``). Turbo's levels are those of Wan2.2-Lightning: the sampler ``euler``,
four steps, shift 5, no guidance. Without a LoRA that was taught them the picture is noise.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from wan22_app.domain.attention import NATIVE
from wan22_app.domain.catalog import Attention, ModelSpec, Quantization
from wan22_app.domain.plan import Device
from wan22_app.domain.quantization import PRECISION, device_refusal

Speed = Literal["exact", "balanced", "fast", "turbo"]
SPEEDS: tuple[Speed, ...] = ("exact", "balanced", "fast", "turbo")
GATES: dict[Speed, float] = {"balanced": 26.0, "fast": 23.0}
"""PSNR in dB against Exact, below which a speed is not offered on a card."""
Measured = Mapping[Speed, float]
"""PSNR in dB of speeds that were measured."""
STEP_CACHE = 0.1
"""Of Fast, on the cautious side; what it costs is for ``benchmarks.quality`` to say."""
EIGHT_BITS: Quantization = "int8-dynamic"
DISTILLED = re.compile(r"lightning|lightx2v|distill|(?<!\d)4[-_ ]?steps?(?![a-z])", re.IGNORECASE)


def is_distilled(name: str) -> bool:
    """Whether a LoRA's name says that it makes four steps enough."""
    return DISTILLED.search(name) is not None


def fields_of(spec: ModelSpec, speed: Speed, attention: Attention = NATIVE) -> dict[str, str]:
    """What the form's fields hold at this speed; ``attention`` is the lossy way of the card."""
    low = "" if spec.guidance_low is None else spec.guidance_low
    makers = ("unipc", spec.steps, spec.guidance, low, spec.shift)
    four = ("euler", 4, 1.0, "" if spec.guidance_low is None else 1.0, 5.0)
    values = {
        "exact": (*makers, 0, spec.precision, "none", NATIVE),
        "balanced": (*makers, 0, PRECISION, EIGHT_BITS, attention),
        "fast": (*makers, STEP_CACHE, PRECISION, EIGHT_BITS, attention),
        "turbo": (*four, 0, spec.precision, "none", NATIVE),
    }[speed]
    names = ("sampler", "steps", "guidance", "guidance_low", "shift", "step_cache", "precision",
             "quantization", "attention")  # fmt: skip
    return dict(zip(names, map(str, values), strict=True))


def offered(spec: ModelSpec, device: Device, measured: Measured) -> tuple[Speed, ...]:
    """What a card can compute, and does well enough as far as that was measured there."""
    able = device_refusal(EIGHT_BITS, device) is None and not spec.packed
    return tuple(
        speed
        for speed in SPEEDS
        if speed not in GATES or (able and measured.get(speed, GATES[speed]) >= GATES[speed])
    )


def speed_of(
    spec: ModelSpec, fields: Mapping[str, str], attention: Attention = NATIVE
) -> Speed | None:
    """The speed that typed fields amount to; None for something of a person's own."""
    return next((s for s in SPEEDS if _same(fields_of(spec, s, attention), fields)), None)


def _same(wanted: Mapping[str, str], typed: Mapping[str, str]) -> bool:
    return all(_number(typed.get(name, "")) == _number(value) for name, value in wanted.items())


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def only_distilled(offers: Iterable[str]) -> str | None:
    """The one distilled LoRA among these; None where there is none, or a choice to make."""
    found = list(filter(is_distilled, offers))
    return found[0] if len(found) == 1 else None
