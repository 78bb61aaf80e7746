"""Backups that are consistent while the app runs, and the way back."""

from collections.abc import Callable, Sequence
from pathlib import Path

from wan22_app.domain.backup import DATABASE, OUTPUTS, Contents, Manifest
from wan22_app.domain.errors import Conflict, Problem
from wan22_app.domain.values import Value
from wan22_app.ports import Clock
from wan22_app.ports.backup import Arrivals, BackupShelf, DatabaseCopies, Kept

Tell = Callable[[str], None]
"""Hears one line for each stage."""


class Backup:
    """Writes backups. The order matters: first the rows, then the files that they name."""

    def __init__(
        self, database: DatabaseCopies, shelf: BackupShelf, clock: Clock, app_version: str
    ):
        self._database = database
        self._shelf = shelf
        self._clock = clock
        self._version = app_version

    def make(self, target: Path, tell: Tell, *, loras: bool = False) -> Manifest:
        """A new backup of everything but the weights. Raises UserError; then nothing is left."""
        with self._shelf.begin(target, self._database.size()) as draft:
            tell("Copying the database.")
            at = self._clock.now()
            self._database.take(draft.database)
            contents = self._database.contents(draft.database)
            names = list(contents.names())
            tell(f"Taking {len(names)} files that it names, and what else belongs to it.")
            kept = draft.keep(names, loras=loras)
            manifest = Manifest(
                app_version=self._version,
                revision=contents.revision,
                created_at=at,
                files=kept.files,
                missing=kept.missing,
                damaged=_damaged(contents, kept),
            )
            tell("Making it durable.")
            draft.finish(manifest)
        return manifest


class Restored(Value):
    """What came back, and the folders with what was there before."""

    manifest: Manifest
    aside: tuple[Path, ...]


class Restore:
    """Brings a backup back. Nobody else may use the installation meanwhile."""

    def __init__(self, database: DatabaseCopies, arrivals: Arrivals, clock: Clock):
        self._database = database
        self._arrivals = arrivals
        self._clock = clock

    def run(self, source: Path, tell: Tell, *, replace: bool = False) -> Restored:
        """Check everything, then move it in. Raises UserError; then nothing has changed.

        What runs in the backup waits afterwards: the next dispatcher rescues it.
        """
        arrivals = self._arrivals
        arrivals.clear()
        manifest = arrivals.read(source)
        in_the_way = arrivals.in_the_way()
        if in_the_way and not replace:
            raise Conflict(_occupied(in_the_way))
        try:
            arrivals.require_room(manifest)
            tell(f"Checking {len(manifest.files)} files of {manifest.created_at:%Y-%m-%d %H:%M}.")
            self._bring(source, manifest)
            tell("Moving them into place.")
            self._database.settle()
            aside = arrivals.place(manifest, self._clock.now())
        finally:
            arrivals.clear()
        return Restored(manifest=manifest, aside=tuple(aside))

    def _bring(self, source: Path, manifest: Manifest) -> None:
        """The database first: whether it is too new shows before the rest is copied."""
        for file in sorted(manifest.files, key=lambda file: file.name != DATABASE):
            self._arrivals.bring(source, file)
            if file.name == DATABASE:
                self._database.modernise(self._arrivals.database)


def _damaged(contents: Contents, kept: Kept) -> tuple[str, ...]:
    """Videos that the disk has changed since they were published."""
    published = {f"{OUTPUTS}/{name}": sha256 for name, sha256 in contents.videos.items()}
    return tuple(
        file.name for file in kept.files if published.get(file.name, file.sha256) != file.sha256
    )


def _occupied(paths: Sequence[Path]) -> Problem:
    return Problem(
        code="restore_occupied",
        what="There are jobs or videos here already.",
        cure="Add --replace to move them aside; they are kept, and the command says where.",
        evidence=", ".join(map(str, paths)),
    )
