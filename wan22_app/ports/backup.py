"""What backups need from outside: copies of the database, folders to write and to read."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from wan22_app.domain.backup import Contents, Manifest, StoredFile
from wan22_app.domain.values import Value


class Kept(Value):
    """What came into a backup, and what was gone when its turn came."""

    files: tuple[StoredFile, ...]
    missing: tuple[str, ...]


class DatabaseCopies(Protocol):
    """The live database and copies of it. Every method raises UserError, cure included."""

    def size(self) -> int:
        """Bytes that a copy needs at most. Refuses a database that keeps no file of its own."""
        ...

    def take(self, target: Path) -> None:
        """Write the rows of one moment into a new file, durable; others go on writing."""
        ...

    def contents(self, copy: Path) -> Contents:
        """What the rows of a copy refer to. Refuses a copy that is damaged or newer."""
        ...

    def modernise(self, copy: Path) -> None:
        """Bring a copy's tables to this version. Raises CannotStart when it is newer."""
        ...

    def settle(self) -> None:
        """Leave the live database in a single file; one that cannot be read stays as it is."""
        ...


class Draft(Protocol):
    """A backup being written, under a name that nobody takes for one."""

    @property
    def database(self) -> Path:
        """Where the copy of the database belongs."""
        ...

    def keep(self, names: Iterable[str], *, loras: bool) -> Kept:
        """Take these and whatever else belongs into a backup: settings, images, LoRAs.

        What is never rewritten in place is linked where the disk allows, all else copied.
        Raises UserError when the disk cannot take the copies and keep its reserve.
        """
        ...

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, make all durable, and give the folder its name."""
        ...


class BackupShelf(Protocol):
    """Where backups are written to."""

    def begin(self, target: Path, database_bytes: int) -> AbstractContextManager[Draft]:
        """A new backup; nothing of it is left when the block ends before it was finished.

        Raises UserError for a place that cannot take it. What a killed one left is removed.
        """
        ...


class Arrivals(Protocol):
    """A backup on its way back: beside the places of its files first, then into them."""

    @property
    def database(self) -> Path:
        """The copy of the database that was brought."""
        ...

    def read(self, source: Path) -> Manifest:
        """Raises UserError for what is no whole backup, or of a newer format."""
        ...

    def in_the_way(self) -> Sequence[Path]:
        """What a restore would have to move aside first, at most a few of each kind."""
        ...

    def require_room(self, manifest: Manifest) -> None:
        """Raise UserError when a disk cannot take the copies and keep its reserve."""
        ...

    def bring(self, source: Path, file: StoredFile) -> None:
        """Copy one beside its place. Raises UserError when it is not what the manifest says."""
        ...

    def place(self, manifest: Manifest, at: datetime) -> Sequence[Path]:
        """Move all into place, the database last; returns the folders of what was there before.

        Either all of it happens or nothing; what a kill has cut short, ``clear`` undoes.
        """
        ...

    def clear(self) -> None:
        """Undo what a killed restore has half done, and remove what was only brought."""
        ...
