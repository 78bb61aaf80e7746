"""Where runs happen."""

from collections.abc import Sequence
from typing import Protocol

from wan22_app.domain.events import Event
from wan22_app.domain.work import Work


class Run(Protocol):
    """One job in flight on a slot."""

    @property
    def job_id(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    def poll(self) -> Sequence[Event]:
        """Events since the last call, without waiting.

        The last event of a run is exactly one of Done, Drafted, Failed, Cancelled,
        Crashed; after it nothing comes.
        """
        ...

    def cancel(self) -> None:
        """Ask politely; the process is killed if no verdict comes within 1.5 s. Idempotent."""
        ...

    def kill(self) -> None:
        """End the process now. Afterwards it is gone and its memory is back."""
        ...


class Executor(Protocol):
    """Starts runs on slots; one run at a time on each."""

    @property
    def slots(self) -> Sequence[str]:
        """Names of the slots, one per device; constant over the executor's life."""
        ...

    def is_free(self, slot: str) -> bool:
        """Whether no engine, of this executor or left over from another, occupies the slot."""
        ...

    def start(self, work: Work, slot: str) -> Run:
        """Begin a run on a free slot. Never waits for the engine: a failure arrives as an event."""
        ...

    def wait(self, timeout: float) -> None:
        """Return when an event may be waiting, or after ``timeout`` seconds."""
        ...

    def wake(self) -> None:
        """Make a ``wait`` under way return. Safe from any thread."""
        ...

    def free(self, slot: str) -> None:
        """End an idle engine so that the card is empty; nothing happens when it runs a job."""
        ...

    def close(self) -> None:
        """End every engine; returns when all are gone."""
        ...
