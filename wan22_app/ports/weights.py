"""What bringing weights needs from outside: rows, a hub, a folder, a process of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from wan22_app.domain.account import Person
from wan22_app.domain.download import Amount, Download, DownloadState, Listing, RemoteFile
from wan22_app.domain.errors import Problem, UserError


class HubTrouble(UserError):
    """The hub, or the way to it, failed in a manner that may pass: asking again is sensible.

    ``wait_s`` is what the hub asked for (HTTP 429), zero when it said nothing.
    """

    def __init__(self, problem: Problem, wait_s: float = 0.0):
        super().__init__(problem)
        self.wait_s = wait_s


class DownloadStore(Protocol):
    """Rows of downloads. Weights are everybody's; a download belongs to who asked first.

    Every method is one transaction. Those of the dispatcher and the downloader change nothing when
    the download is no longer running.
    """

    def request(self, person: Person, model: str) -> Download:
        """The waiting or running download of this model, or a new waiting one."""
        ...

    def get(self, person: Person, download_id: str) -> Download:
        """Raises NotFound for a stranger's download as for none."""
        ...

    def latest(self) -> Sequence[Download]:
        """The newest download of each model."""
        ...

    def is_wanted(self, model: str) -> bool:
        """Whether a download of this model waits or runs."""
        ...

    def request_cancel(self, person: Person, download_id: str) -> Download:
        """Raise the flag; a waiting download is cancelled at once. Raises Conflict when final."""
        ...

    def running(self) -> Sequence[Download]: ...

    def claim_next(self) -> Download | None:
        """Turn the oldest waiting download whose time has come into a running one."""
        ...

    def put_back(self, download_id: str, why: Problem | None) -> None:
        """Let a running download wait: with a reason for a while, without one uncounted.

        Too many in a row make it fail; a cancelled one ends.
        """
        ...

    def end(self, download_id: str, state: DownloadState, problem: Problem | None = None) -> None:
        """End a running download; without weights, the jobs that wait for it are told."""
        ...

    def record(self, download_id: str, amount: Amount) -> bool:
        """Store how far it is; False when it must not go on."""
        ...


class Hub(Protocol):
    """A place that holds repositories of weights.

    Raises HubTrouble for what may pass and another UserError for what will not.
    """

    def listing(self, repo: str) -> Listing:
        """The files of a diffusers folder in the repository, at its newest commit."""
        ...

    def cached(self, repo: str) -> Listing | None:
        """What this machine's hub cache holds of it, without asking anybody; None for nothing."""
        ...

    def fetch(
        self, repo: str, commit: str, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]
    ) -> None:
        """Append to ``part`` what it lacks; ``on_bytes`` hears of each piece.

        A piece may be negative when the part had to be started anew.
        """
        ...


class IncomingWeights(Protocol):
    """Folders of weights that are not complete yet, on the file system of the finished ones."""

    def remembered(self, repo: str) -> Listing | None:
        """The listing that an earlier start has kept."""
        ...

    def remember(self, repo: str, listing: Listing) -> None: ...

    def forget(self, repo: str) -> None:
        """Drop the kept listing, not the files."""
        ...

    def present(self, repo: str, file: RemoteFile) -> int:
        """How many bytes of this file are here."""
        ...

    def is_done(self, repo: str, file: RemoteFile) -> bool:
        """Whether the file is here and was found sound."""
        ...

    def part(self, repo: str, file: RemoteFile) -> Path:
        """Where its bytes are collected; the folder exists."""
        ...

    def accept(self, repo: str, file: RemoteFile) -> bool:
        """Check size and hash and make the part a file. False removes a part that is wrong."""
        ...

    def require_room(self, bytes_missing: int) -> None:
        """Raise UserError when the disk cannot take so much and keep its reserve."""
        ...

    def publish(self, repo: str, key: str) -> None:
        """Make the folder a model of the library, in one step. Raises UserError if it is none."""
        ...

    def is_published(self, repo: str, key: str) -> bool:
        """Whether an earlier start has done so; what that one left behind is tidied up."""
        ...


class Fetch(Protocol):
    """A downloader at work."""

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        ...

    def kill(self) -> None:
        """End it now; returns when it is gone. What it has fetched stays."""
        ...

    def last_words(self) -> str:
        """The end of its log."""
        ...


class Fetcher(Protocol):
    """Starts downloaders in processes of their own."""

    def start(self, download: Download) -> Fetch: ...
