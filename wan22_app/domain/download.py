"""Weights on their way to this machine: the record of one download and what a hub offers."""

from datetime import datetime, timedelta
from enum import StrEnum

from wan22_app.domain.errors import Problem
from wan22_app.domain.values import Value

MAX_ATTEMPTS = 8
"""Starts in a row that may end without a single new byte before the download has failed."""
BACKOFF_S = (2.0, 15.0, 60.0, 300.0, 900.0)
"""Waits after the first, second, … start that ended early: a night without network is survived
for about an hour, then a person must ask again."""
LONGEST_BACKOFF = timedelta(seconds=max(BACKOFF_S))


class DownloadState(StrEnum):
    """``waiting <-> running -> final``. Final is final: the next wish is a new row."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True for the states that a download never leaves."""
        return self not in ACTIVE_STATES


ACTIVE_STATES = (DownloadState.WAITING, DownloadState.RUNNING)


class Download(Value):
    """One row. ``attempts`` counts starts since the last new byte.

    ``problem`` of a waiting download says why its last start ended early; it goes on by itself at
    ``retry_at``.
    """

    id: str
    owner: str
    model: str
    state: DownloadState
    cancel_requested: bool = False
    attempts: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float = 0.0
    problem: Problem | None = None
    created_at: datetime
    retry_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def seconds_left(self) -> float | None:
        """At the present speed; None while nothing moves."""
        if self.bytes_per_second <= 0 or self.total_bytes <= 0:
            return None
        return max(0, self.total_bytes - self.done_bytes) / self.bytes_per_second


class Amount(Value):
    """How far a download is. Bytes, not GiB."""

    done: int = 0
    total: int = 0
    per_second: float = 0.0


class RemoteFile(Value):
    """A file of a repository. Hashes are empty where the source does not tell.

    ``sha256`` is of the content (large files), ``git_sha1`` of a git blob with that content.
    """

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


class Listing(Value):
    """What a repository holds at one commit."""

    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def total_bytes(self) -> int:
        """Size of everything."""
        return sum(file.size for file in self.files)


def backoff(attempts: int) -> timedelta:
    """How long to wait after the given number of starts in a row that brought nothing."""
    return timedelta(seconds=BACKOFF_S[max(0, min(attempts, len(BACKOFF_S)) - 1)])
