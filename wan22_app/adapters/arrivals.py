"""A backup on its way back: copied and checked beside the places of its files, then moved in.

Every move is written down before the first one, so that a restore that was killed half way is
undone by the next. The database moves last: once it is in its place, there is nothing to undo.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from wan22_app.adapters import durable
from wan22_app.adapters.backups import MANIFEST, SEAL, Places, require_room, seal
from wan22_app.adapters.files import OURS, RESERVE_BYTES, sha256
from wan22_app.domain.backup import CONFIG, DATABASE, FORMAT, OUTPUTS, Manifest, StoredFile
from wan22_app.domain.errors import CannotStart, Problem, UserError

STAGING = ".wan22-restore"
JOURNAL = "moves.json"
ASIDE = "before-restore-"
SIDECARS = ("-wal", "-shm", "-journal")
DATABASE_COPIES = 3
"""The copy itself, one kept while its tables are brought up to date, and the work on them."""
WHERE = frozenset({"data", "outputs", "models", "loras", "database_url"})
"""Settings that are true of one machine and lead astray on another."""
FEW = 3

Move = tuple[Path, Path]


class FolderArrivals:
    """Arrivals into the folders of this installation."""

    def __init__(self, places: Places, reserve_bytes: int = RESERVE_BYTES):
        self._places = places
        self._reserve = reserve_bytes

    @property
    def database(self) -> Path:
        return self._staged(DATABASE)

    def read(self, source: Path) -> Manifest:
        try:
            text = (source / MANIFEST).read_bytes()
            sealed = (source / SEAL).read_bytes()
        except OSError as error:
            raise UserError(_no_backup(source, error)) from error
        if sealed != seal(text).encode():
            raise UserError(_damaged(source / MANIFEST))
        try:
            if json.loads(text).get("format", 0) > FORMAT:
                raise CannotStart(_newer_format(source))
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            raise UserError(_damaged(source / MANIFEST)) from error

    def in_the_way(self) -> Sequence[Path]:
        found = [*self._databases(), *islice(self._outputs(), FEW)]
        return [path for path in found if path.exists()]

    def require_room(self, manifest: Manifest) -> None:
        needed: dict[int, tuple[Path, int]] = {}
        for file in manifest.files:
            folder = self._places.of(file.name).parent
            disk = folder.stat().st_dev
            much = file.bytes * (DATABASE_COPIES if file.name == DATABASE else 1)
            needed[disk] = (folder, needed.get(disk, (folder, 0))[1] + much)
        for folder, total in needed.values():
            require_room(folder, total, self._reserve)

    def bring(self, source: Path, file: StoredFile) -> None:
        staged = self._staged(file.name)
        staged.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            found = durable.copy(source / file.name, staged)
        except FileNotFoundError as error:
            raise UserError(_damaged(source / file.name)) from error
        except OSError as error:
            raise UserError(_not_copied(source / file.name, error)) from error
        if found != file.sha256:
            raise UserError(_damaged(source / file.name))

    def place(self, manifest: Manifest, at: datetime) -> Sequence[Path]:
        stamp = f"{at:%Y%m%d-%H%M%S-%f}"
        moves = list(self._moves(manifest, stamp))
        aside = sorted({new.parent for _, new in moves if new.parent.name.startswith(ASIDE)})
        try:
            durable.write(self._journal(), json.dumps([[str(a), str(b)] for a, b in moves]))
            durable.sync_folder(self._journal().parent)
            for folder in aside:
                folder.mkdir(exist_ok=True)
            # A power cut must not leave the database in its place and the files not.
            _move(moves[:-1])
            _move(moves[-1:])
        except OSError as error:
            self.clear()
            raise UserError(_not_moved(error)) from error
        self._journal().unlink()
        return aside

    def unfinished(self) -> bool:
        """Whether a restore has begun to move and not ended: it runs, or it was killed."""
        return self._journal().is_file()

    def clear(self) -> None:
        if self._journal().is_file():
            moves = [(Path(a), Path(b)) for a, b in json.loads(self._journal().read_bytes())]
            # Once the database is in its place, the app may have gone on with it.
            if self.database.exists():
                _undo(moves)
            self._journal().unlink()
        for name in (DATABASE, CONFIG, *(f"{kind}/x" for kind in self._places.folders)):
            shutil.rmtree(self._staged(name).parent, ignore_errors=True)

    def _staged(self, name: str) -> Path:
        place = self._places.of(name)
        return place.parent / STAGING / place.name

    def _journal(self) -> Path:
        return self._places.database.parent / STAGING / JOURNAL

    def _databases(self) -> Iterable[Path]:
        """The database and what SQLite may have beside it."""
        file = self._places.database
        beside = [file.with_name(file.name + ending) for ending in SIDECARS]
        return [path for path in (*beside, file) if path.exists()]

    def _outputs(self) -> Iterator[Path]:
        paths = self._places.folders[OUTPUTS].iterdir()
        return (path for path in paths if OURS.match(path.name) and path.is_file())

    def _moves(self, manifest: Manifest, stamp: str) -> Iterator[Move]:
        for path in self._outputs():
            yield path, _aside(path, stamp)
        for file in manifest.files:
            if file.name == CONFIG:
                yield from self._config_moves(file, stamp)
            elif file.name != DATABASE:
                yield from self._file_moves(file, stamp)
        for path in self._databases():
            yield path, _aside(path, stamp)
        yield self.database, self._places.database

    def _file_moves(self, file: StoredFile, stamp: str) -> Iterator[Move]:
        """Videos have been moved aside; of the others, what is there already may stay."""
        place = self._places.of(file.name)
        if file.kind != OUTPUTS and place.exists():
            if sha256(place) == file.sha256:
                return
            yield place, _aside(place, stamp)
        yield self._staged(file.name), place

    def _config_moves(self, file: StoredFile, stamp: str) -> Iterator[Move]:
        """The settings in force have said where all this goes: they are not replaced."""
        place = self._places.config
        if not place.exists() and not _names_places(self._staged(CONFIG)):
            yield self._staged(CONFIG), place
        elif not place.exists() or sha256(place) != file.sha256:
            yield self._staged(CONFIG), place.with_name(f"{place.stem}-restored-{stamp}.json")


def _aside(path: Path, stamp: str) -> Path:
    return path.parent / f"{ASIDE}{stamp}" / path.name


def _names_places(config: Path) -> bool:
    """True also for what cannot be read: the app would not start with it."""
    try:
        return not WHERE.isdisjoint(json.loads(config.read_text(encoding="utf-8-sig")))
    except (ValueError, TypeError):
        return True


def _move(moves: Sequence[Move]) -> None:
    for old, new in moves:
        old.rename(new)
    for folder in {path.parent for move in moves for path in move}:
        durable.sync_folder(folder)


def _undo(moves: Sequence[Move]) -> None:
    for old, new in reversed(moves):
        if new.exists() and not old.exists():
            new.rename(old)
    for _, new in moves:
        if new.parent.name.startswith(ASIDE):
            # Only an empty one goes.
            with suppress(OSError):
                new.parent.rmdir()


def _no_backup(source: Path, error: OSError) -> Problem:
    return Problem(
        code="backup_none",
        what=f"{source} is no finished backup.",
        cause=f"It has no readable {MANIFEST} with its {SEAL}.",
        cure="Name the folder that wan22 backup has made; one that ends in .part was cut short.",
        evidence=str(error),
    )


def _damaged(path: Path) -> Problem:
    return Problem(
        code="backup_damaged",
        what=f"The backup is damaged: {path.name} is missing or not what it was. "
        "Nothing was changed.",
        cause="Its disk is faulty, or somebody has changed the file.",
        cure="Use another backup, or bring this file back from another copy of it.",
        evidence=str(path),
    )


def _newer_format(source: Path) -> Problem:
    return Problem(
        code="backup_newer",
        what="The backup was made by a newer version of the app.",
        cure="Update the app, then restore.",
        evidence=str(source),
    )


def _not_copied(path: Path, error: OSError) -> Problem:
    return Problem(
        code="restore_not_copied",
        what=f"{path.name} could not be brought back. Nothing was changed.",
        cause=f"{error.strerror or error}.",
        cure="Make room or correct the folder's rights, and try again.",
        evidence=str(error),
    )


def _not_moved(error: OSError) -> Problem:
    return Problem(
        code="restore_not_moved",
        what="The files could not be moved into their places. All is as it was before.",
        cause=f"{error.strerror or error}.",
        cure="Close programs that have a video open, correct the folders' rights, and try again.",
        evidence=str(error),
    )
