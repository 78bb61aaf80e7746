"""Exact or Turbo: as a model's makers say, or in the four steps of a distilled LoRA.

Turbo's levels are those of Wan2.2-Lightning: the sampler ``euler``, four steps, shift 5, no
guidance. Without a LoRA that was taught them the picture is noise.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from wan22_app.domain.catalog import ModelSpec

Speed = Literal["exact", "turbo"]
SPEEDS: tuple[Speed, ...] = ("exact", "turbo")
DISTILLED = re.compile(r"lightning|lightx2v|distill|(?<!\d)4[-_ ]?steps?(?![a-z])", re.IGNORECASE)


def is_distilled(name: str) -> bool:
    """Whether a LoRA's name says that it makes four steps enough."""
    return DISTILLED.search(name) is not None


def fields_of(spec: ModelSpec, speed: Speed) -> dict[str, str]:
    """What the form's fields hold at this speed."""
    low = "" if spec.guidance_low is None else spec.guidance_low
    exact = ("unipc", spec.steps, spec.guidance, low, spec.shift)
    turbo = ("euler", 4, 1.0, "" if spec.guidance_low is None else 1.0, 5.0)
    values = {"exact": exact, "turbo": turbo}[speed]
    names = ("sampler", "steps", "guidance", "guidance_low", "shift")
    return dict(zip(names, map(str, values), strict=True))


def speed_of(spec: ModelSpec, fields: Mapping[str, str]) -> Speed | None:
    """The speed that typed fields amount to; None for something of a person's own."""
    return next((s for s in SPEEDS if _same(fields_of(spec, s), fields)), None)


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
