"""The machine: its devices and figures, its clock, its randomness."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from wan22_app.domain.figures import Figures
from wan22_app.domain.plan import Device, Host


class Probe(Protocol):
    """What the machine has, now."""

    def device(self) -> Device:
        """The card that runs will use, or the CPU."""
        ...

    def host(self) -> Host: ...

    def figures(self, now: datetime) -> Figures:
        """A sample; the processors' load is the mean since the last call, from one caller only."""
        ...


class FigureStore(Protocol):
    """Samples of the machine's figures."""

    def add(self, figures: Figures, forget_before: datetime) -> None:
        """Keep a sample and drop those before a moment."""
        ...

    def since(self, moment: datetime) -> Sequence[Figures]:
        """Samples after a moment, oldest first."""
        ...

    def latest(self) -> Figures | None: ...


class Clock(Protocol):
    """Wall time for rows and monotonic time for durations."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        ...


class Secrets(Protocol):
    """Randomness, so that tests can fix it."""

    def seed(self) -> int:
        """A new random seed in the range of GenerationRequest.seed."""
        ...

    def new_id(self) -> str:
        """32 hexadecimal characters, unguessable."""
        ...
