"""Backups as folders: written beside their name, and named once they are whole and durable."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from wan22_app.adapters import durable
from wan22_app.adapters.files import RESERVE_BYTES, sha256
from wan22_app.domain.backup import (
    CONFIG,
    DATABASE,
    LORAS,
    OUTPUTS,
    UPLOADS,
    Manifest,
    StoredFile,
    StoredName,
)
from wan22_app.domain.errors import Conflict, Problem, UserError
from wan22_app.ports.backup import Kept

MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
PART = ".part"
LINKED = (OUTPUTS, UPLOADS)
"""Never rewritten in place; an editor or a tool may do that to settings and LoRAs."""
NAME = TypeAdapter(StoredName)


class Places(NamedTuple):
    """Where this installation has what a backup holds; ``folders`` by their names in a backup."""

    database: Path
    config: Path
    folders: Mapping[str, Path]

    def of(self, name: str) -> Path:
        """The place of a file by its name in a backup."""
        if name == CONFIG:
            return self.config
        kind, _, file = name.rpartition("/")
        return self.folders[kind] / file if kind else self.database


def seal(manifest: bytes) -> str:
    """The content of the file that guards the manifest; ``sha256sum -c`` understands it."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n"


class FolderShelf:
    """BackupShelf for any folder of this machine but the app's own."""

    def __init__(self, places: Places, own: Iterable[Path], reserve_bytes: int = RESERVE_BYTES):
        self._places = places
        self._own = tuple(own)
        self._reserve = reserve_bytes

    @contextmanager
    def begin(self, target: Path, database_bytes: int) -> Iterator["FolderDraft"]:
        target = target.absolute()
        part = target.with_name(target.name + PART)
        self._refuse(target, part)
        try:
            _remove_unfinished(part)
            require_room(target.parent, database_bytes, self._reserve)
            part.mkdir(mode=0o700)
            # Says whose folder it is, before anything else lies in it.
            (part / (MANIFEST + PART)).touch()
            yield FolderDraft(part, target, self._places, self._reserve)
        except OSError as error:
            raise UserError(_unwritable(target, error)) from error
        finally:
            with contextlib.suppress(OSError):
                _remove_unfinished(part)

    def _refuse(self, target: Path, part: Path) -> None:
        if os.path.lexists(target):
            raise Conflict(_exists(target))
        if not target.parent.is_dir():
            raise UserError(_no_parent(target))
        for home in self._own:
            if target.resolve().is_relative_to(home.resolve()):
                raise UserError(_inside(target, home))
        if os.path.lexists(part) and not _is_unfinished(part):
            raise Conflict(_exists(part))


class FolderDraft:
    """Draft in a folder ``<name>.part``."""

    def __init__(self, part: Path, target: Path, places: Places, reserve: int):
        self._part, self._target = part, target
        self._places, self._reserve = places, reserve

    @property
    def database(self) -> Path:
        return self._part / DATABASE

    def keep(self, names: Iterable[str], *, loras: bool) -> Kept:
        for kind in self._places.folders:
            (self._part / kind).mkdir(exist_ok=True)
        wanted = tuple(names)
        # The database may come from an older version: only names of ours are followed.
        known = dict.fromkeys(name for name in (*wanted, *self._others(loras)) if _is_known(name))
        self._copy([name for name in known if not self._link(name)])
        kept = dict.fromkeys((DATABASE, *filter(self._has, known)))
        missing = tuple(name for name in wanted if name not in kept)
        return Kept(files=tuple(map(self._facts, kept)), missing=missing)

    def _copy(self, names: Sequence[str]) -> None:
        sources = [source for source in map(self._places.of, names) if source.is_file()]
        require_room(self._part, sum(path.stat().st_size for path in sources), self._reserve)
        for name in names:
            # Somebody may empty the bin meanwhile.
            with contextlib.suppress(FileNotFoundError):
                durable.copy(self._places.of(name), self._part / name)

    def finish(self, manifest: Manifest) -> None:
        text = manifest.model_dump_json(indent=1).encode()
        durable.write(self._part / SEAL, seal(text))
        durable.write(self._part / MANIFEST, text.decode())
        for folder in (*(self._part / kind for kind in self._places.folders), self._part):
            durable.sync_folder(folder)
        self._part.rename(self._target)
        durable.sync_folder(self._target.parent)

    def _others(self, loras: bool) -> Iterator[str]:
        """What belongs to a backup without a row: settings, images of drafts, LoRAs."""
        if self._places.config.is_file():
            yield CONFIG
        for kind in (UPLOADS, *((LORAS,) if loras else ())):
            yield from sorted(
                f"{kind}/{path.name}" for path in self._places.folders[kind].iterdir()
            )

    def _link(self, name: str) -> bool:
        """A second name costs no room; another disk, and some kinds of disk, have none."""
        if name.partition("/")[0] not in LINKED:
            return False
        source = self._places.of(name)
        if source.is_symlink():
            return False  # a second name of the link itself would follow it to nowhere
        try:
            os.link(source, self._part / name)
        except OSError:
            return False
        return True

    def _has(self, name: str) -> bool:
        return (self._part / name).is_file()

    def _facts(self, name: str) -> StoredFile:
        path = self._part / name
        return StoredFile(name=name, bytes=path.stat().st_size, sha256=sha256(path))


def require_room(folder: Path, needed: int, reserve: int) -> None:
    """Raise UserError when the disk cannot take so much and keep its reserve."""
    free = shutil.disk_usage(folder).free
    if needed + reserve > free:
        raise UserError(_no_room(folder, needed, free, reserve))


def _is_known(name: str) -> bool:
    try:
        NAME.validate_python(name)
    except ValidationError:
        return False
    return True


def _is_unfinished(part: Path) -> bool:
    """Whether a killed backup has left this; somebody's own folder is not touched."""
    if part.is_symlink() or not part.is_dir():
        return False
    names = {path.name for path in part.iterdir()}
    return not names or bool(names & {MANIFEST, MANIFEST + PART})


def _remove_unfinished(part: Path) -> None:
    if os.path.lexists(part) and _is_unfinished(part):
        shutil.rmtree(part)


def _exists(path: Path) -> Problem:
    return Problem(
        code="backup_target_exists",
        what=f"{path} exists already.",
        cause="A backup is a new folder; nothing is written over.",
        cure="Choose another name, with today's date for one.",
    )


def _no_parent(target: Path) -> Problem:
    return Problem(
        code="backup_no_folder",
        what=f"There is no folder {target.parent}.",
        cause="It was mistyped, or its disk is not connected.",
        cure="Correct the name, or create the folder first.",
    )


def _inside(target: Path, home: Path) -> Problem:
    return Problem(
        code="backup_inside",
        what=f"{target} lies inside {home}, which is to be backed up.",
        cure="Choose a place outside the app's own folders, best on another disk.",
    )


def _no_room(folder: Path, needed: int, free: int, reserve: int) -> Problem:
    return Problem(
        code="backup_no_room",
        what=f"The disk of {folder} is too small: {needed / 1e9:.2f} GB are needed, "
        f"{free / 1e9:.2f} GB are free.",
        cause=f"{reserve / 1e9:.1f} GB are kept in reserve.",
        cure="Make room, or choose another disk.",
    )


def _unwritable(target: Path, error: OSError) -> Problem:
    return Problem(
        code="backup_unwritable",
        what=f"The backup {target} could not be written.",
        cause=f"{error.strerror or error}.",
        cure="Make room, correct the folder's rights, or choose another disk; nothing is left.",
        evidence=str(error),
    )
