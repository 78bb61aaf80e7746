"""How much of what was told is to be seen, counted over many clips."""

from collections import Counter
from dataclasses import dataclass, field

from tools.demo.language import Told
from tools.demo.measure import Pixels, look_at, matched
from tools.demo.scenes import DEFAULT_BACKGROUND, DIRECTIONS

KINDS = ("colour", "shape", "motion")


@dataclass
class Score:
    """Right and asked, for each kind of fact. ``direction`` is motion of what moves straight."""

    right: Counter[str] = field(default_factory=Counter[str])
    asked: Counter[str] = field(default_factory=Counter[str])

    def add(self, frames: Pixels, told: Told) -> bool:
        """Measure one clip; returns whether all of it is right."""
        sight = look_at(frames, len(told.things))
        marks = matched(sight, told.things)
        for facts, mark in zip(told.things, marks, strict=True):
            for kind, hit in zip(KINDS, mark, strict=True):
                self.count(kind, hit)
            if facts[2] in DIRECTIONS:
                self.count("direction", mark[2])
        background = sight.background == (told.background or DEFAULT_BACKGROUND)
        self.count("background", background)
        whole = background and all(map(all, marks))
        self.count("everything", whole)
        return whole

    def count(self, kind: str, hit: bool) -> None:
        """One more answer of this kind."""
        self.asked[kind] += 1
        self.right[kind] += hit

    def rate(self, kind: str) -> float:
        """Share that is right, 0..1; 0 when nothing was asked."""
        return self.right[kind] / self.asked[kind] if self.asked[kind] else 0.0

    def __str__(self) -> str:
        return ", ".join(f"{kind} {self.rate(kind):.0%}" for kind in self.asked)
