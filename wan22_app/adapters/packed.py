"""Models that are made of GGUF files and of a diffusers folder for all else."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from wan22_app.adapters import gguf_file
from wan22_app.adapters.fingerprint import fingerprint
from wan22_app.adapters.gguf_file import OtherModel, PackedFile, Shape
from wan22_app.adapters.safetensors_header import BadFile
from wan22_app.adapters.weights import (
    I2V_CHANNELS,
    REVISION_LENGTH,
    TI2V_CHANNELS,
    Base,
    real,
    visible,
)
from wan22_app.domain.catalog import (
    CATALOG,
    REAL_SPECS,
    ImageUse,
    ModelEntry,
    ModelSpec,
    WeightsState,
)
from wan22_app.domain.halves import half, starred

BY_CHANNELS = {
    16: ImageUse.NONE,
    I2V_CHANNELS: ImageUse.REQUIRED,
    TI2V_CHANNELS: ImageUse.OPTIONAL,
}
"""Which layout takes so many channels of latents."""
PARTS = "its VAE and text encoder"


class Faulty(Exception):
    """Why files are no model, and what would make them one."""

    def __init__(self, what: str, cure: str):
        super().__init__(what)
        self.what, self.cure = what, cure


class _Found(NamedTuple):
    """The files of one model, by half, and what the first of them is."""

    paths: Mapping[str, Path]
    files: Sequence[PackedFile]

    @property
    def shape(self) -> Shape:
        return self.files[0].shape


def files(models: Path) -> Iterator[Path]:
    """GGUF files under the models folder, at most two levels deep."""
    return visible(models, "*.gguf", "*/*.gguf", "*/*/*.gguf")


def entries(models: Path, bases: Sequence[Base]) -> Iterator[ModelEntry]:
    """A model for each pair, or each single file, that holds a Wan2.2 transformer."""
    groups: dict[str, dict[str, Path]] = {}
    for path in files(models):
        name = path.relative_to(models).as_posix()
        groups.setdefault(starred(name, everywhere=True), {})[half(path.name) or half(name)] = path
    for name, paths in groups.items():
        try:
            found = _Found(paths, [_read(path) for path in paths.values()])
            yield _entry(name, found, bases)
        except (OtherModel, OSError):
            continue  # of no concern here, or gone since it was listed
        except BadFile as error:
            cure = "Fetch the file again, or another one: Wan2.2 as GGUF, Q8_0 to Q2_K."
            yield _faulty(name, Faulty(f"{_title(name)} cannot be used: {error}.", cure))
        except Faulty as fault:
            yield _faulty(name, fault)


def _read(path: Path) -> PackedFile:
    facts = path.stat()
    found = _looked(path, facts.st_size, facts.st_mtime_ns)
    if isinstance(found, PackedFile):
        return found
    raise found


@lru_cache(maxsize=256)
def _looked(path: Path, size: int, changed: int) -> PackedFile | OtherModel | BadFile:
    """What is in a file of this size and time: a vocabulary in a header takes seconds to read."""
    del size, changed
    try:
        return gguf_file.read(path)
    except (OtherModel, BadFile) as error:
        return error.with_traceback(None)


def _entry(name: str, found: _Found, bases: Sequence[Base]) -> ModelEntry:
    layout = _layout(name, found)
    paths = _in_order(name, found, layout)
    base = next((each for each in bases if each.shape == found.shape), None)
    if base is None:
        raise Faulty(
            f"{_title(name)} needs a {layout.name} folder beside it for {PARTS}.",
            f"Get {layout.name} on the Optimizations page, or put its diffusers folder into the "
            "models folder, without the transformers' weights if you like.",
        )
    kind = found.files[0].kind
    size = sum(path.stat().st_size for path in paths)
    costs = base.spec.costs.model_copy(
        update={
            "transformer_bytes": max(file.bytes for file in found.files),
            "block_bytes": max(file.block_bytes for file in found.files),
        }
    )
    spec = base.spec.model_copy(
        update={
            "key": _key(name), "name": f"{base.spec.name} {kind}", "repo": "", "packed": kind,
            "costs": costs,
        }
    )  # fmt: skip
    return ModelEntry(
        spec=spec,
        state=WeightsState.READY,
        folder=str(base.folder.resolve()),
        experts=tuple(str(path.resolve()) for path in paths),
        revision=_revision(base, paths),
        bytes=size,
    )


def _layout(name: str, found: _Found) -> ModelSpec:
    if any(file.shape != found.shape for file in found.files):
        raise Faulty(
            f"The two halves of {_title(name)} are of different models.",
            "Fetch both from the same place.",
        )
    image = BY_CHANNELS.get(found.shape.channels)
    if image is None:
        raise Faulty(
            f"{_title(name)} is none of Wan2.2's three models: it takes {found.shape.channels} "
            "channels.",
            "Use T2V-A14B, I2V-A14B or TI2V-5B.",
        )
    return real(image)


def _in_order(name: str, found: _Found, layout: ModelSpec) -> Sequence[Path]:
    """The experts' files, high noise first."""
    if layout.experts == 1:
        return list(found.paths.values())[:1]
    if "" in found.paths:
        raise Faulty(
            f"{_title(name)} does not say for which noise it is.",
            f"{layout.name} is two files: let one be named high noise, the other low noise.",
        )
    if missing := {"high", "low"} - found.paths.keys():
        (lacking,) = missing
        raise Faulty(
            f"{_title(name)} is one half: the file for {lacking} noise is not here.",
            "Put it into the same folder; the names may differ in high and low alone.",
        )
    return [found.paths["high"], found.paths["low"]]


def _faulty(name: str, fault: Faulty) -> ModelEntry:
    """Shown with its reason, as the nearest layout by its name."""
    lowered = name.lower()
    task = "ti2v" if "ti2v" in lowered or "5b" in lowered else "i2v" if "i2v" in lowered else "t2v"
    spec = next(spec for spec in REAL_SPECS if spec.task == task)
    named = {"key": _key(name), "name": _title(name), "repo": "", "packed": "GGUF"}
    return ModelEntry(
        spec=spec.model_copy(update=named),
        state=WeightsState.MISSING,
        problem=fault.what,
        cure=fault.cure,
    )


def _title(name: str) -> str:
    """The file's name without its folder and its half."""
    stem = Path(name).name.removesuffix(".gguf")
    return re.sub(r"[-_. ]*\*(noise)?", "", stem, flags=re.IGNORECASE).strip("-_. ") or stem


def _key(name: str) -> str:
    key = re.sub(r"[^a-z0-9._-]+", "-", _title(name).lower()).strip("-._") or "packed"
    return f"{key}-gguf" if key in CATALOG else key


def _revision(base: Base, paths: Sequence[Path]) -> str:
    """Names and fingerprints, as a folder's."""
    digest = hashlib.sha256(base.revision.encode())
    for path in paths:
        digest.update(f"{path.name} {fingerprint(path)}\n".encode())
    return digest.hexdigest()[:REVISION_LENGTH]
