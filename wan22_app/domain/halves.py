"""Files that come in halves: one for the expert at high noise, one for that at low noise.

Names in the wild say so in many ways: ``lora_high_noise``, ``T2V-HIGH-x``, ``HighNoise-Q4``.
"""

import re
from collections.abc import Iterable, Mapping

STAR = "*"
HALF = re.compile(r"(?<![a-z])(high|low)(?=noise|[^a-z]|$)", re.IGNORECASE)


def starred(name: str, *, everywhere: bool = False) -> str:
    """The name of the pair that a file may be half of; itself where it names no expert.

    ``everywhere`` stars each mention, as in a path whose folder says it, too.
    """
    return HALF.sub(STAR, name, count=0 if everywhere else 1)


def half(name: str) -> str:
    """``high`` or ``low``, empty where the name says neither."""
    found = HALF.search(name)
    return found.group().lower() if found else ""


def halves_of(pair: str, files: Iterable[str]) -> Mapping[str, str]:
    """The files that a starred name stands for, by half; the first of each by name."""
    found: dict[str, str] = {}
    for file in sorted(files):
        if STAR not in file and starred(file) == pair:
            found.setdefault(half(file), file)
    return found
