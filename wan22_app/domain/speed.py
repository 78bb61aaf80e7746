"""Speeds of the form: as a model's makers say, or faster and lossy.

Balanced computes matrices in eight bits, and attention where the card can, Fast skips steps besides
(see ``engine.step_cache``). Turbo's levels are those of Wan2.2-Lightning: the sampler ``euler``,
four steps, shift 5, no guidance. Without a LoRA that was taught them the picture is noise.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from wan22_app.domain.attention import NATIVE
from wan22_app.domain.catalog import Attention, ModelSpec, Quantization
from wan22_app.domain.plan import Device
from wan22_app.domain.quantization import PRECISION, device_refusal
from wan22_app.domain.values import Value

Speed = Literal["exact", "balanced", "fast", "turbo"]
SPEEDS: tuple[Speed, ...] = ("exact", "balanced", "fast", "turbo")
GATES: dict[Speed, float] = {"balanced": 26.0, "fast": 23.0}
"""PSNR in dB against Exact, below which a speed is not offered on a card."""
STEP_CACHE = 0.1
"""Of Fast before it was calibrated, on the cautious side."""
STEP_CACHES = (0.3, 0.2, STEP_CACHE, 0.05)
"""What a calibration tries, the fastest first."""
EIGHT_BITS: Quantization = "int8-dynamic"
DISTILLED = re.compile(r"lightning|lightx2v|distill|(?<!\d)4[-_ ]?steps?(?![a-z])", re.IGNORECASE)


class Calibration(Value):
    """What ``benchmarks.quality`` has found of the lossy speeds for a model on a card.

    Balanced and Fast compute attention in this way: in eight bits only where that was measured and
    good enough. ``step_cache`` is Fast's limit. ``psnr`` in dB against Exact, of what was measured.
    """

    attention: Attention = NATIVE
    step_cache: float = STEP_CACHE
    psnr: Mapping[Speed, float] = Field(default_factory=dict[Speed, float])


UNMEASURED = Calibration()


def is_distilled(name: str) -> bool:
    """Whether a LoRA's name says that it makes four steps enough."""
    return DISTILLED.search(name) is not None


def fields_of(spec: ModelSpec, speed: Speed, found: Calibration = UNMEASURED) -> dict[str, str]:
    """What the form's fields hold at this speed."""
    low = "" if spec.guidance_low is None else spec.guidance_low
    makers = ("unipc", spec.steps, spec.guidance, low, spec.shift)
    four = ("euler", 4, 1.0, "" if spec.guidance_low is None else 1.0, 5.0)
    values = {
        "exact": (*makers, 0, spec.precision, "none", NATIVE),
        "balanced": (*makers, 0, PRECISION, EIGHT_BITS, found.attention),
        "fast": (*makers, found.step_cache, PRECISION, EIGHT_BITS, found.attention),
        "turbo": (*four, 0, spec.precision, "none", NATIVE),
    }[speed]
    names = ("sampler", "steps", "guidance", "guidance_low", "shift", "step_cache", "precision",
             "quantization", "attention")  # fmt: skip
    # A text encoder in eight bits is lossy, too, and belongs to none of them.
    return {"text_quantization": "none", **dict(zip(names, map(str, values), strict=True))}


def offered(spec: ModelSpec, device: Device, found: Calibration) -> tuple[Speed, ...]:
    """What a card can compute, and does well enough as far as that was measured there."""
    able = device_refusal(EIGHT_BITS, device) is None and not spec.packed
    return tuple(
        speed
        for speed in SPEEDS
        if speed not in GATES or (able and found.psnr.get(speed, GATES[speed]) >= GATES[speed])
    )


def speed_of(
    spec: ModelSpec, fields: Mapping[str, str], found: Calibration = UNMEASURED
) -> Speed | None:
    """The speed that typed fields amount to; None for something of a person's own."""
    return next((s for s in SPEEDS if _same(fields_of(spec, s, found), fields)), None)


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
