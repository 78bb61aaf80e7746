"""LoRAs by their file names. Two that differ only in high and low are halves of one.

Wan2.2's A14B models have an expert for high noise and one for low noise, so their LoRAs come in
pairs. A pair is offered under one name, with a star where the halves differ.

A list of chosen LoRAs is written as text, one per line: ``name``, ``name:0.8`` or, with
the consent to use what fits of it, ``name:0.8:partly``.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.fields import LONGEST_NAME, MAX_LORAS, MORE_LORAS, MOST_STRENGTH
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.halves import STAR, halves_of, starred

Expert = Literal["high", "low", "both"]
PARTLY = "partly"
ENDING = ".safetensors"


def offered(files: Iterable[str]) -> list[str]:
    """What a person chooses from: single files and pairs, sorted."""
    files = list(files)
    names = {name for name in map(starred, files) if len(parts(name, files)) == 2}
    whole = (name for name in files if starred(name) not in names)
    return sorted([*names, *whole])


def parts(name: str, files: Iterable[str]) -> Sequence[tuple[str, Expert]]:
    """The files behind a name, each with its expert; high noise first.

    One half stands for both where the other is there, as it would do harm on the wrong expert.
    Empty for a starred name that no pair has.
    """
    halves = halves_of(starred(name), files)
    pair: list[tuple[str, Expert]] = [
        (halves[half], half) for half in ("high", "low") if half in halves
    ]
    if len(pair) == 2:
        return pair
    return [] if STAR in name else [(name, "both")]


@dataclass(frozen=True)
class Choice:
    """A LoRA as a person chose it: a file or a pair, and how strong."""

    name: str
    strength: float = 1.0
    partly: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.strength:g}" + (f":{PARTLY}" if self.partly else "")


def written(choices: Iterable[Choice]) -> str:
    """The text of a list."""
    return "\n".join(map(str, choices))


def choices(text: str) -> list[Choice]:
    """The list that a text names. Raises InvalidRequest where a strength is not from -4 to 4."""
    return [_choice(line.strip()) for line in text.splitlines() if line.strip()]


def split(line: str) -> tuple[str, str, bool]:
    """Name, strength as it was typed (1 where none was), and the consent, of one line."""
    head, colon, last = line.strip().rpartition(":")
    if partly := bool(colon) and last.strip() == PARTLY:
        line = head
        head, colon, last = line.rpartition(":")
    # Files end in this, so what follows the last colon is a strength, or a mistake in one.
    if not colon or line.endswith(ENDING):
        return line.strip(), "1", partly
    return head.strip(), last.strip(), partly


def _choice(line: str) -> Choice:
    name, typed, partly = split(line)
    try:
        strength = float(typed)
    except ValueError:
        strength = math.nan
    if not (name and -MOST_STRENGTH <= strength <= MOST_STRENGTH):
        raise InvalidRequest(
            Problem(
                code="bad_loras",
                what=f"The LoRA strength cannot be “{typed[:40]}”.",
                cure=f"Use a number from -{MOST_STRENGTH:g} to {MOST_STRENGTH:g}.",
                field="loras",
            )
        )
    return Choice(name, strength, partly)


def references(chosen: Sequence[Choice], files: Sequence[str]) -> tuple[LoraRef, ...]:
    """The files behind the choices; a star that stands for nothing stays a name that is not there.

    Raises InvalidRequest for more files than a request may name.
    """
    refs = tuple(
        LoraRef(file=file, expert=expert, strength=choice.strength, partly=choice.partly)
        for choice in chosen
        for file, expert in (parts(choice.name, files) or ((choice.name[:LONGEST_NAME], "both"),))
    )
    if len(refs) > MAX_LORAS:
        what, cure = MORE_LORAS
        raise InvalidRequest(Problem(code="many_loras", what=what, cure=cure, field="loras"))
    return refs


def chosen(refs: Sequence[LoraRef]) -> list[Choice]:
    """What was chosen for these references: the halves of a pair are one choice."""
    return [
        Choice(ref.file if ref.expert == "both" else starred(ref.file), ref.strength, ref.partly)
        for before, ref in zip((None, *refs), refs, strict=False)
        if before is None or not _is_second_half(before, ref)
    ]


def _is_second_half(high: LoraRef, low: LoraRef) -> bool:
    pair = (high.expert, low.expert) == ("high", "low")
    return pair and starred(high.file) == starred(low.file)
