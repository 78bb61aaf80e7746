"""Files that are still there after a power cut: copies, texts, and the folders that name them."""

import hashlib
import os
import sys
from pathlib import Path

BLOCK = 4 * 1024 * 1024


def sync_file(path: Path) -> None:
    """Onto the disk with its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Onto the disk with the names in it; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: Path, target: Path) -> str:
    """Copy to a new file and return the hash of what was written."""
    digest = hashlib.sha256()
    with source.open("rb") as old, target.open("xb") as new:
        while block := old.read(BLOCK):
            digest.update(block)
            new.write(block)
        new.flush()
        os.fsync(new.fileno())
    return digest.hexdigest()


def write(path: Path, content: str | bytes) -> None:
    """A small file in one piece: the old one or the new one, never half. Texts are UTF-8."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
