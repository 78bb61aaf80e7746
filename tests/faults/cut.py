"""What a disk holds after a power cut: what was synced, and of all else what chance has left.

Of a file's writes since its last sync any part may be missing, in pieces of a sector; nothing is
left behind a truncation that is missing. Changes of names are in the order of each folder: where
one is missing, so are all later ones there. A rename is done in both its folders or in neither.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import Record

SECTOR = 512
Keeps = Callable[[], bool]
"""Whether the next piece is still there."""


@dataclass
class File:
    """One file's content: what is surely there, and the calls after that."""

    synced: bytes = b""
    pending: list[Record] = field(default_factory=list[Record])

    def sync(self) -> None:
        """From now on all of it is surely there."""
        self.synced, self.pending = self.content(lambda: True), []

    def content(self, keeps: Keeps) -> bytes:
        """With those pieces of later calls that ``keeps`` lets be."""
        found = bytearray(self.synced)
        for call in self.pending:
            if call.kind == "W":
                for start in range(0, len(call.data), SECTOR):
                    if keeps():
                        _put(found, call.offset + start, call.data[start : start + SECTOR])
            elif keeps():
                found[call.offset :] = bytes(max(0, call.offset - len(found)))
            else:
                break
        return bytes(found)


def _put(found: bytearray, offset: int, data: bytes) -> None:
    found.extend(bytes(max(0, offset - len(found))))
    found[offset : offset + len(data)] = data


@dataclass
class Change:
    """A name that went, a name that came, or both at once."""

    old: str
    new: str
    file: File
    synced: bool = False

    @property
    def folders(self) -> set[str]:
        """Where it is written down."""
        return {name.rpartition("/")[0] for name in (self.old, self.new) if name}

    def do(self, names: dict[str, File]) -> None:
        """Carry it out."""
        names.pop(self.old, None)
        if self.new:
            names[self.new] = self.file


class Disk:
    """A folder of which all is surely there, and what calls have made of it since."""

    def __init__(self, root: Path):
        self._root = root
        self._folders = [str(path) for path in (root, *root.rglob("*")) if path.is_dir()]
        paths = [path for path in root.rglob("*") if path.is_file()]
        self._first = {str(path): File(path.read_bytes()) for path in paths}
        self._inodes = {path.stat().st_ino: self._first[str(path)] for path in paths}
        self._names = dict(self._first)
        self._changes: list[Change] = []

    def play(self, records: Iterable[Record]) -> None:
        """Let the calls happen."""
        for record in records:
            self._happen(record)

    def _happen(self, record: Record) -> None:
        path = record.path
        match record.kind:
            case "W" | "T":
                self._inodes[record.inode].pending.append(record)
            case "S":
                self._inodes[record.inode].sync()
            case "C":
                self._inodes[record.inode] = File()
                self._change("", path, self._inodes[record.inode])
            case "R":
                self._change(path, record.data.decode(), self._names[path])
            case "U":
                self._change(path, "", self._names[path])
            case "D":
                self._sync_folder(path)
            case "N":
                pass
            case _:
                raise ValueError(f"unknown: {record}")

    def _change(self, old: str, new: str, file: File) -> None:
        change = Change(old, new, file)
        if not change.folders <= set(self._folders):
            raise ValueError(f"a folder that was not there before: {change.folders}")
        change.do(self._names)
        self._changes.append(change)

    def _sync_folder(self, path: str) -> None:
        """A rename takes along what came before it in its other folder."""
        reached = {path}
        for change in reversed(self._changes):
            if change.folders & reached:
                change.synced = True
                reached |= change.folders

    def now(self) -> dict[str, bytes]:
        """All files, as everybody sees them while the power is on."""
        return {name: file.content(lambda: True) for name, file in self._names.items()}

    def after(self, chance: random.Random) -> dict[str, bytes]:
        """All files, as somebody may find them after a cut."""
        names, gone = dict(self._first), set[str]()
        unsure = Counter(one for change in self._changes if not change.synced
                         for one in change.folders)  # fmt: skip
        kept = Counter({folder: chance.randint(0, count) for folder, count in unsure.items()})
        for change in self._changes:
            kept.subtract([] if change.synced else change.folders)
            gone |= {folder for folder in change.folders if kept[folder] < 0}
            if change.folders & gone:
                gone |= change.folders
            else:
                change.do(names)
        return {name: file.content(_luck(chance)) for name, file in names.items()}

    def become(self, files: dict[str, bytes]) -> None:
        """Put these files in the place of the real ones; nobody may have one open."""
        shutil.rmtree(self._root)
        for folder in self._folders:
            Path(folder).mkdir(exist_ok=True)
        for name, content in files.items():
            Path(name).write_bytes(content)


def _luck(chance: random.Random) -> Keeps:
    """All is lost, all is there, or something in between; one answer for each piece."""
    share = chance.choice((0.0, 0.5, 1.0))
    return lambda: chance.random() < share
