"""The header of a safetensors file, read without trusting it and without torch.

Layout: eight bytes little-endian length, that many bytes of JSON, then the tensors' data.
"""

import json
import math
import struct
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_HEADER_BYTES = 32 << 20
MAX_TENSORS = 20_000
BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
    "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip


class BadFile(Exception):
    """The file is no sound safetensors file; the text says why."""


class Tensor(BaseModel):
    """One entry of the header."""

    model_config = ConfigDict(frozen=True, strict=True)

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def read_header(path: Path) -> dict[str, Tensor]:
    """Every tensor by name; raises BadFile when the file is not exactly what its header says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise BadFile("its header has an impossible length")
            text = file.read(length)
    except OSError as error:
        raise BadFile(error.strerror or "it cannot be read") from error
    return _checked(_parsed(text), size - 8 - length)


def data_start(path: Path) -> int:
    """Where in the file the tensors' data begins: what their offsets count from."""
    with path.open("rb") as file:
        return 8 + int(struct.unpack("<Q", file.read(8))[0])


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile("its header is not JSON") from error
    if not isinstance(header, dict):
        raise BadFile("its header is not a table of tensors")
    header.pop("__metadata__", None)
    if not 0 < len(header) <= MAX_TENSORS:
        raise BadFile(f"it names {len(header)} tensors")
    return header


def _checked(header: dict[str, Any], data_bytes: int) -> dict[str, Tensor]:
    """The tensors must fill the data exactly: a hole or an overlap hides something."""
    tensors: dict[str, Tensor] = {}
    for name, entry in header.items():
        try:
            # Through JSON, where a list may stand for a tuple.
            tensors[name] = Tensor.model_validate_json(json.dumps(entry))
        except (ValidationError, ValueError, RecursionError) as error:
            raise BadFile(f"tensor {name[:80]} is described wrongly") from error
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        if tensor.dtype not in BYTES or any(length < 0 for length in tensor.shape):
            raise BadFile(f"tensor {name[:80]} has an unknown type or shape")
        if tensor.data_offsets[0] != end:
            raise BadFile(f"tensor {name[:80]} does not begin where the one before ends")
        end = tensor.data_offsets[1]
        if end - tensor.data_offsets[0] != math.prod(tensor.shape) * BYTES[tensor.dtype]:
            raise BadFile(f"tensor {name[:80]} has a size that does not fit its shape")
    if end != data_bytes:
        raise BadFile("it is cut short" if end > data_bytes else "it holds more than its header")
    return tensors
