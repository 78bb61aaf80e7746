"""Small results that are kept on the disk: embeddings of prompts, colours of latents."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

MOST_BYTES = 256_000_000
"""Some hundred long prompts of Wan2.2, many thousand of the demo models."""
VALUE = "value"


@dataclass(frozen=True)
class Shelf:
    """A folder of tensors, one file each; the one that was not used for longest goes first.

    Engines of several cards share it. What cannot be read or written is only lost time.
    """

    folder: Path
    most_bytes: int = MOST_BYTES

    def get(self, key: str) -> torch.Tensor | None:
        """What was kept under a key, on the CPU; None when it is not there."""
        try:
            value = load_file(self._path(key))[VALUE]
            os.utime(self._path(key))
        except (OSError, SafetensorError, KeyError):
            return None
        return value

    def put(self, key: str, value: torch.Tensor) -> None:
        """Keep it, and make room for it."""
        part = self._path(key).with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError, SafetensorError):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({VALUE: value.cpu().contiguous()}, part)
            part.replace(self._path(key))
            self._make_room()

    def _make_room(self) -> None:
        files = [(path, path.stat()) for path in self.folder.iterdir()]
        files.sort(key=lambda file: file[1].st_mtime_ns, reverse=True)
        total = 0
        for path, facts in files:
            total += facts.st_size
            if total > self.most_bytes:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def key_of(told: Mapping[str, object]) -> str:
    """A name for what depends on all this."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def files_of(folder: Path, *parts: str) -> list[tuple[str, int, int]]:
    """Which files these parts of a checkpoint are: names, sizes and times. Reading 11 GB to make
    sure would take as long as loading them."""
    found = [path for part in parts for path in (folder / part).glob("*")]
    facts = [(path, path.stat()) for path in sorted(found) if path.is_file()]
    return [(path.name, each.st_size, each.st_mtime_ns) for path, each in facts]
