"""Finished videos: their rows, their files, and what can be read out of them."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from wan22_app.domain.account import Person
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.measured import Measured
from wan22_app.domain.output import EVERYTHING, Output, OutputQuery, Place, Recipe
from wan22_app.domain.relief import Relief
from wan22_app.domain.values import Value


class OutputStore(Protocol):
    """Rows of finished videos; inserted by JobStore.succeed only.

    Methods that take a person see only that person's outputs and raise NotFound for the rest.
    Every change moves both numbers of JobStore.latest_revision, so that each open page follows.
    """

    def get(self, person: Person, output_id: str) -> Output:
        """One in the gallery or in the bin."""
        ...

    def page(
        self,
        person: Person,
        query: OutputQuery = EVERYTHING,
        before: Place | None = None,
        limit: int = 50,
    ) -> Sequence[Output]:
        """Newest first; ``before`` is the place of the last one seen."""
        ...

    def count(self, person: Person, query: OutputQuery = EVERYTHING) -> int: ...

    def models(self, person: Person) -> Sequence[str]:
        """Keys of the models that made this person's outputs, sorted."""
        ...

    def existing(self, person: Person, ids: Collection[str]) -> Collection[str]:
        """Those of ``ids`` that are in the gallery: neither in the bin nor removed."""
        ...

    def experience(self, models: Collection[str]) -> Sequence[Output]:
        """The newest few of each of these models, whoever's and wherever, newest first."""
        ...

    def favourite(self, person: Person, output_id: str, wanted: bool) -> Output: ...

    def bin(self, person: Person, output_id: str, at: datetime) -> Output:
        """Move into the bin; one that is there already keeps its time."""
        ...

    def restore(self, person: Person, output_id: str) -> Output:
        """Take out of the bin; nothing changes when it is not there."""
        ...

    def overdue(self, before: datetime, limit: int = 100) -> Sequence[Output]:
        """Everybody's outputs that lie in the bin since before then, oldest first."""
        ...

    def purge(self, output: Output, remove: Callable[[], bool]) -> bool:
        """Remove the row after ``remove`` has removed the files; False when either stays.

        Nothing is removed of one that has been taken out of the bin since ``output`` was read.
        """
        ...

    def known_files(self) -> Collection[str]:
        """File names that belong to a row; everything else in the folder is an orphan."""
        ...


class VideoFacts(Value):
    """What a probe found in a video file."""

    codec: str
    profile: str
    pixel_format: str
    width: int
    height: int
    frames: int
    fps: float
    seconds: float
    metadata: dict[str, str]


class Published(Value):
    """Names inside the outputs folder, and what the video is."""

    video: str
    poster: str
    bytes: int
    sha256: str


class Preview(NamedTuple):
    """A small moving WebP; another ``version`` is another picture."""

    path: Path
    version: int


class OutputFiles(Protocol):
    """The outputs folder: part files become videos by rename."""

    @property
    def staging(self) -> Path: ...

    def check_writable(self) -> None:
        """Raise UserError when the folder cannot be written or its disk is full."""
        ...

    def publish(self, job_id: str, video: str, poster: str) -> Published:
        """Verify (decodes to the end), fsync, rename both.

        Raises UserError when the video cannot be decoded. Safe to repeat after a crash.
        """
        ...

    def discard(self, job_id: str) -> None:
        """Remove a job's part files; nothing happens when there are none."""
        ...

    def preview(self, job_id: str, epoch: int) -> Preview | None:
        """What the run is going to show, None before its first step and after its end."""
        ...

    def find(self, name: str) -> Path | None:
        """A finished file by the name in its row; None when somebody removed it by hand."""
        ...

    def remove(self, names: Collection[str]) -> bool:
        """Delete finished files; False when one of them is held open and stays for now."""
        ...

    def sweep(self, known: Collection[str], live: Collection[str]) -> Sequence[str]:
        """Remove files without a row and part files of jobs that are not ``live``; names removed.

        Only files that carry this app's naming scheme are touched.
        """
        ...


class ExperienceStore(Protocol):
    """What this machine learned about memory. Each call is one transaction."""

    def put(self, model: str, device: str, pixels: int, relief: Relief) -> None:
        """Remember that this relief was enough for a video of so many pixels, all frames."""
        ...

    def needed(self, model: str, device: str, pixels: int) -> Relief:
        """What videos of at most as many pixels have needed of late; nothing where unknown."""
        ...

    def keep(self, measured: Measured) -> None:
        """Keep what a run has taken in place of what an equal one took before."""
        ...

    def measured(self, model: str, device: str, software: str) -> Sequence[Measured]:
        """What runs of a model took of late on this device, newest first."""
        ...


class LatentFiles(Protocol):
    """What runs have computed so far: a killed run's job goes on there."""

    def path(self, job_id: str) -> Path:
        """Where the engine keeps it; the file need not exist."""
        ...

    def forget(self, job_id: str) -> None:
        """Remove it; nothing happens when there is none."""
        ...

    def finished(self, job_id: str) -> bool:
        """Whether denoised latents are there that wait for nothing but the decoder."""
        ...

    def keep_preview(self, job_id: str, part: str) -> None:
        """Keep what a draft shows beside its latents, from a part file."""
        ...

    def preview(self, job_id: str) -> Preview | None:
        """What a draft shows, while its latents are there to go on with."""
        ...

    def prune(self, spared: Collection[str]) -> Sequence[str]:
        """Remove what is too old, or the oldest of what is too much; names removed.

        What the jobs ``spared`` have is left alone.
        """
        ...


class Videos(Protocol):
    """Looks into finished videos."""

    def recipe(self, path: Path) -> Recipe | None:
        """The recipe in a video of the outputs folder, None when there is none."""
        ...

    def frame(self, path: Path, seconds: float) -> bytes:
        """The very picture that a player shows at this time, as PNG. Raises UserError."""
        ...

    def keep(self, path: Path, still: str) -> VideoRef:
        """Copy a finished video to where it stays for others to go on from. Raises UserError."""
        ...

    def kept(self, video: VideoRef) -> Path:
        """The copy. Raises InvalidRequest when it is gone."""
        ...

    def compare(self, one: Path, other: Path) -> Comparison:
        """How like two videos are, picture by picture. Raises UserError where one is damaged."""
        ...

    def brought(self, data: bytes) -> Recipe:
        """The recipe in a stranger's mp4, read in a process of its own. Raises InvalidRequest."""
        ...
