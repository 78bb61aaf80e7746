"""The machine's figures: sampled once for everybody, kept for an hour."""

from collections.abc import Sequence

from wan22_app.domain.figures import HOUR, Figures
from wan22_app.ports import Clock, FigureStore, Probe


class Monitoring:
    """Samples on one side, readers on the other; the database is between them."""

    def __init__(self, probe: Probe, store: FigureStore, clock: Clock):
        self._probe = probe
        self._store = store
        self._clock = clock

    def sample(self) -> None:
        """Look once and keep it; forgets what is older than the plots reach."""
        figures = self._probe.figures(self._clock.now())
        self._store.add(figures, forget_before=figures.at - HOUR)

    def hour(self) -> Sequence[Figures]:
        """Samples of the last hour, oldest first."""
        return self._store.since(self._clock.now() - HOUR)

    def latest(self) -> Figures | None:
        """The newest sample, None before the first."""
        return self._store.latest()
