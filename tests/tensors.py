"""Safetensors files of zeros, written by hand: the web's side of the app has no torch."""

import json
import struct
from pathlib import Path

from wan22_app.adapters.safetensors_header import BYTES


def tensors(
    path: Path, shapes: dict[str, tuple[int, ...]], spare: bytes = b"", dtype: str = "F32"
) -> Path:
    """A safetensors file of zeros, written by hand."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = BYTES[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * offset + spare)
    return path
