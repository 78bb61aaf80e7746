"""Writes a transformer as a GGUF file, as others publish them: native names, packed matrices."""

from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

NATIVE = {
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    ".to_out.0.": ".o.",
    ".to_q.": ".q.",
    ".to_k.": ".k.",
    ".to_v.": ".v.",
    "proj_out": "head.head",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
    ".norm2.": ".norm3.",
}
"""From diffusers' names to Wan's own."""
KINDS = {
    "F16": gguf.GGMLQuantizationType.F16,
    "Q8_0": gguf.GGMLQuantizationType.Q8_0,
    "Q5_0": gguf.GGMLQuantizationType.Q5_0,
    "Q4_0": gguf.GGMLQuantizationType.Q4_0,
    "IQ4_NL": gguf.GGMLQuantizationType.IQ4_NL,
    "MXFP4": gguf.GGMLQuantizationType.MXFP4,
}


def native(name: str) -> str:
    """Wan's own name of a tensor."""
    if name == "scale_shift_table":
        return "head.modulation"
    for theirs, own in NATIVE.items():
        name = name.replace(theirs, own)
    return name.replace("scale_shift_table", "modulation")


def write(folder: Path, path: Path, kind: str = "Q8_0", architecture: str = "wan") -> Path:
    """The transformer in a diffusers folder; matrices of blocks in ``kind``, the rest in fp32."""
    writer = gguf.GGUFWriter(str(path), architecture)
    tensors: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    for name, value in tensors.items():
        value = value.astype(np.float32)
        if name.startswith("blocks.") and name.endswith(".weight") and value.ndim == 2:
            packed = gguf.quants.quantize(value, KINDS[kind])
            writer.add_tensor(native(name), packed, raw_dtype=KINDS[kind])
        else:
            writer.add_tensor(native(name), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
