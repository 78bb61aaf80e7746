"""LoRAs by their file names. Two that differ only in high and low are halves of one.

Wan2.2's A14B models have an expert for high noise and one for low noise, so their LoRAs come in
pairs. A pair is offered under one name, with a star where the halves differ.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from wan22_app.domain.generation import LoraRef

Expert = Literal["high", "low", "both"]
STAR = "*"
HALF = re.compile(r"(?<![a-z])(high|low)(?![a-z])", re.IGNORECASE)


def offered(files: Iterable[str]) -> list[str]:
    """What a person chooses from: single files and pairs, sorted."""
    files = list(files)
    names = {name for name in map(_starred, files) if len(parts(name, files)) == 2}
    whole = (name for name in files if _starred(name) not in names)
    return sorted([*names, *whole])


def parts(name: str, files: Iterable[str]) -> Sequence[tuple[str, Expert]]:
    """The files behind a name, each with its expert; high noise first.

    One half stands for both where the other is there, as it would do harm on the wrong expert.
    Empty for a starred name that no pair has.
    """
    halves: dict[str, str] = {}
    for file in sorted(files):
        if STAR not in file and _starred(file) == _starred(name):
            halves.setdefault(_half(file), file)
    pair: list[tuple[str, Expert]] = [
        (halves[half], half) for half in ("high", "low") if half in halves
    ]
    if len(pair) == 2:
        return pair
    return [] if STAR in name else [(name, "both")]


def name_of(refs: Sequence[LoraRef]) -> str:
    """The name that was chosen for these references; empty for none."""
    if not refs:
        return ""
    first = refs[0]
    return first.file if first.expert == "both" else _starred(first.file)


def _starred(file: str) -> str:
    """The name of the pair that the file may be half of; itself where it names no expert."""
    return HALF.sub(STAR, file, count=1)


def _half(file: str) -> str:
    found = HALF.search(file)
    return found.group().lower() if found else ""
