"""Transformers and text encoders with eight-bit weights: quantized once, then read from the disk.

torchao does the arithmetic, through diffusers and transformers. Only matrices of blocks are
quantized: what is in no block is small, and pictures suffer from it most.
"""

# pyright: reportPrivateImportUsage=false

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import psutil
import transformers
from safetensors import SafetensorError
from torchao.quantization import (
    Float8DynamicActivationFloat8WeightConfig,
    Float8WeightOnlyConfig,
    Int8DynamicActivationInt8WeightConfig,
    Int8WeightOnlyConfig,
)

from wan22_app.domain.catalog import GB, Quantization, TextQuantization

PLAIN = ["patch_embedding", "condition_embedder", "proj_out"]
"""Parts of a transformer that keep their type."""
RESERVE_BYTES = 10 * GB
"""That much of a disk is left for videos and for everything else."""
UNUSED_S = 30 * 24 * 3600.0
"""Copies that nobody has read for so long are removed when another one is written."""
PART = ".part"
KINDS: dict[Quantization, Callable[[], Any]] = {
    "int8": lambda: Int8WeightOnlyConfig(version=2),
    "int8-dynamic": lambda: Int8DynamicActivationInt8WeightConfig(version=2),
    "fp8": lambda: Float8WeightOnlyConfig(),
    "fp8-dynamic": lambda: Float8DynamicActivationFloat8WeightConfig(),
}


def of_transformer(kind: Quantization) -> dict[str, Any]:
    """What ``from_pretrained`` of a transformer is told."""
    if kind == "none":
        return {}
    config = diffusers.TorchAoConfig(KINDS[kind](), modules_to_not_convert=PLAIN)
    return {"quantization_config": config}


def of_encoder(kind: TextQuantization) -> dict[str, Any]:
    """The same for UMT5."""
    if kind == "none":
        return {}
    return {"quantization_config": transformers.TorchAoConfig(KINDS[kind]())}


@dataclass(frozen=True)
class Copies:
    """A folder of quantized transformers, each in a folder of its own, named by what it is made of.

    What cannot be written or read is only lost time: it is quantized again.
    """

    folder: Path
    reserve_bytes: int = RESERVE_BYTES

    def get(self, key: str, load: Callable[[Path], Any]) -> Any | None:
        """What ``load`` makes of a copy; None where there is none that can be read."""
        copy = self.folder / key
        if not copy.is_dir():
            return None
        try:
            found = load(copy)
            os.utime(copy)
        except (OSError, SafetensorError, ValueError, KeyError):
            # Cut short, or of a version that wrote something else.
            shutil.rmtree(copy, ignore_errors=True)
            return None
        return found

    def put(self, key: str, save: Callable[[Path], None], size: int) -> None:
        """Keep what ``save`` writes, about ``size`` bytes, if the disk has room for it."""
        part = self.folder / f"{key}.{os.getpid()}{PART}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._forget_unused()
            if shutil.disk_usage(self.folder).free < size + self.reserve_bytes:
                return
            save(part)
            for file in part.iterdir():
                # A power cut must not leave a copy that looks whole and is full of zeros.
                with file.open("rb+") as opened:
                    os.fsync(opened.fileno())
            part.rename(self.folder / key)
        except OSError:
            pass
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _forget_unused(self) -> None:
        """Remove what nobody reads, and what an engine has left that was killed as it wrote."""
        for copy in self.folder.iterdir():
            with contextlib.suppress(OSError, ValueError):
                abandoned = copy.suffix == PART and not psutil.pid_exists(_writer(copy))
                if abandoned or time.time() - copy.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(copy)


def _writer(part: Path) -> int:
    """The process that writes, or wrote, an unfinished copy."""
    return int(part.stem.rpartition(".")[2])
