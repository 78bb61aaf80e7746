"""Weights and LoRAs in their folders."""

import contextlib
import threading
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer

from wan22_app.adapters import lora_file, packed, weights
from wan22_app.adapters.files import sha256
from wan22_app.domain.catalog import DEMO_SPECS, REAL_SPECS, ModelEntry
from wan22_app.domain.errors import InvalidRequest, ModelUnavailable, Problem
from wan22_app.domain.generation import LoraRef

SUFFIX = ".safetensors"
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl")
Stamp = tuple[tuple[str, int, int], ...]


class FolderLibrary:
    """Library over two folders. What a scan found is kept until a file changes."""

    def __init__(self, models: Path, loras: Path):
        self._models = models
        self._loras = loras
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._entries: Sequence[ModelEntry] = ()
        self._tokenizers: dict[tuple[str, int], Tokenizer] = {}
        self._hashes: dict[str, tuple[tuple[str, int, int], str]] = {}

    def entries(self) -> Sequence[ModelEntry]:
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._entries, self._stamp = self._scan(), stamp
            return self._entries

    def entry(self, key: str) -> ModelEntry:
        for entry in self.entries():
            if entry.spec.key == key:
                return entry
        raise ModelUnavailable(
            Problem(
                code="no_such_model",
                what=f"There is no model “{key[:60]}”.",
                cure="Choose one of: " + ", ".join(e.spec.key for e in self.entries()) + ".",
                field="model",
            )
        )

    def loras(self) -> Sequence[str]:
        return sorted(path.name for path in self._loras.glob(f"*{SUFFIX}") if path.is_file())

    def check_lora(self, entry: ModelEntry, ref: LoraRef) -> LoraRef:
        path = self.lora_path(ref)
        weights = lora_file.check(path, entry.spec, partly=ref.partly)
        return ref.model_copy(update={"sha256": self._hash(path), "weights": weights})

    def _hash(self, path: Path) -> str:
        """A sound LoRA's hash, kept until the file changes: a form asks at every key."""
        stamp = _stamp(path)
        kept = self._hashes.get(path.name)
        if kept is None or kept[0] != stamp:
            lora_file.check_numbers(path)
            kept = self._hashes[path.name] = (stamp, sha256(path))
        return kept[1]

    def lora_path(self, ref: LoraRef) -> Path:
        # Only a name that the folder itself lists: no separators, no links out of it.
        path = self._loras / ref.file
        if path.suffix in PICKLES:
            raise InvalidRequest(
                Problem(
                    code="lora_pickle",
                    what=f"“{ref.file[:80]}” may hold code that would run when it is opened.",
                    cure="Fetch the same LoRA as .safetensors.",
                    field="loras",
                )
            )
        listed = ref.file in self.loras()
        if not listed or path.resolve().parent != self._loras.resolve():
            raise InvalidRequest(
                Problem(
                    code="no_such_lora",
                    what=f"There is no LoRA “{ref.file[:80]}”.",
                    cure=f"Put the .safetensors file into {self._loras}.",
                    field="loras",
                )
            )
        return path

    def tokens(self, entry: ModelEntry, text: str) -> int | None:
        file = Path(entry.folder) / "tokenizer" / "tokenizer.json"
        if not entry.ready or not file.is_file():
            return None
        key = (str(file), file.stat().st_mtime_ns)
        with self._lock:
            if key not in self._tokenizers:
                self._tokenizers = {key: _counting(file)}
            tokenizer = self._tokenizers[key]
        return len(tokenizer.encode(text).ids)

    def _look(self) -> Stamp:
        """Changes whenever a weights file appears, goes or grows."""
        files: list[tuple[str, int, int]] = []
        folders = weights.folders(self._models)
        found = (path for folder in folders for path in sorted(folder.rglob("*")))
        for path in chain(packed.files(self._models), found):
            # One that goes meanwhile is not there: a download puts its folder in place.
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    files.append(_stamp(path))
        return tuple(files)

    def _scan(self) -> Sequence[ModelEntry]:
        found: dict[str, ModelEntry] = {}
        folders = map(weights.recognised, weights.folders(self._models))
        for entry in chain(folders, packed.entries(self._models, self._bases())):
            if entry is None:
                continue
            old = found.get(entry.spec.key)
            # The first sound one of a kind wins over damaged ones.
            if old is None or (entry.ready and not old.ready):
                found[entry.spec.key] = entry
        known = [*REAL_SPECS, *DEMO_SPECS]
        entries = [found.pop(s.key, None) or weights.missing(s, self._models) for s in known]
        return (*entries[: len(REAL_SPECS)], *found.values(), *entries[len(REAL_SPECS) :])

    def _bases(self) -> Sequence[weights.Base]:
        found = map(weights.base, weights.folders(self._models))
        return [base for base in found if base is not None]


def _stamp(path: Path) -> tuple[str, int, int]:
    """Another one when the file changes."""
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def _counting(file: Path) -> Tokenizer:
    """The tokenizer without what was stored from a use: padded and cut, every text is as long."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
