"""What an engine has tried on a card before anything may use it."""

from wan22_app.domain.attention import BACKENDS, NATIVE
from wan22_app.domain.catalog import Attention, Compilation
from wan22_app.domain.values import Value


class Tried(Value):
    """What a trial has found. ``error`` is the distance from fp32's result over its length,
    ``times`` how many times as fast as without; ``why`` is what went wrong."""

    name: Attention | Compilation
    passed: bool
    error: float | None = None
    times: float | None = None
    why: str = ""


class Trials(Value):
    """All trials on one card with these versions of what computes."""

    device: str
    versions: str
    tried: tuple[Tried, ...] = ()

    @property
    def attention(self) -> tuple[Attention, ...]:
        """The ways that may be used there, beside torch's own."""
        return tuple(name for name in BACKENDS if name != NATIVE and name in self._passed)

    @property
    def compilation(self) -> tuple[Compilation, ...]:
        """What may be compiled there."""
        return ("regional",) if "regional" in self._passed else ()

    @property
    def _passed(self) -> frozenset[str]:
        return frozenset(each.name for each in self.tried if each.passed)


def sentence(tried: Tried) -> str:
    """What a trial has found, for people."""
    if not tried.passed:
        return f"Not used: {tried.why}."
    lossy = any(backend.lossy for name, backend in BACKENDS.items() if name == tried.name)
    speed = f" {tried.times:.1f} times as fast as without." if tried.times else ""
    return f"Passed.{' In eight bits, so lossy.' if lossy else ''}{speed}"
