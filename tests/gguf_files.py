"""Writes a transformer as a GGUF file, as others publish them: native names, packed matrices."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

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
K_SCALES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
"""Where in a block of 256 values its scale lies, and the scale of its least value: both in fp16."""
K_BLOCK = 256
Packing = Callable[[str, np.ndarray], tuple[np.ndarray, gguf.GGMLQuantizationType]]
"""From a matrix and its name to its packed bytes."""


def native(name: str) -> str:
    """Wan's own name of a tensor."""
    if name == "scale_shift_table":
        return "head.modulation"
    for theirs, own in NATIVE.items():
        name = name.replace(theirs, own)
    return name.replace("scale_shift_table", "modulation")


def write(folder: Path, path: Path, kind: str = "Q8_0", architecture: str = "wan") -> Path:
    """The transformer in a diffusers folder; matrices of blocks in ``kind``, the rest in fp32."""

    def pack(_: str, value: np.ndarray) -> tuple[np.ndarray, gguf.GGMLQuantizationType]:
        return gguf.quants.quantize(value, KINDS[kind]), KINDS[kind]

    return _write(_tensors(folder), path, pack, architecture)


def write_k(folder: Path, path: Path, kind: str, plain: Path) -> Path:
    """A file with drawn matrices in a kind of 256 values a block, and what they unpack to.

    Nothing in Python packs these kinds, so the bytes are drawn. Matrices that are too narrow stay
    in fp16. ``plain`` becomes a copy of the folder that holds the very numbers of the file, as
    GGUF's own library unpacks them.
    """
    chance = np.random.default_rng(sum(kind.encode()))
    tensors = {name: value.astype(np.float32) for name, value in _tensors(folder).items()}
    packed: dict[str, np.ndarray] = {}
    for name, value in tensors.items():
        if _is_matrix(name, value) and value.shape[1] % K_BLOCK == 0:
            packed[name], tensors[name] = _drawn(chance, kind, value)
    assert packed

    def pack(name: str, value: np.ndarray) -> tuple[np.ndarray, gguf.GGMLQuantizationType]:
        if name in packed:
            return packed[name], gguf.GGMLQuantizationType[kind]
        return value.astype(np.float16), KINDS["F16"]

    shutil.copytree(folder, plain)
    (file,) = plain.glob("*.safetensors")
    save_file(tensors, file, {"format": "pt"})
    return _write(tensors, path, pack, "wan")


def _drawn(
    chance: np.random.Generator, kind: str, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of drawn bytes, with scales that make their values about as large as these."""
    packing = gguf.GGMLQuantizationType[kind]
    length = gguf.GGML_QUANT_SIZES[packing][1]
    blocks = chance.integers(0, 256, (len(value), value.shape[1] // K_BLOCK, length), np.uint8)

    def scaled(scale: float) -> tuple[np.ndarray, np.ndarray]:
        for place in K_SCALES[kind]:
            blocks[..., place : place + 2] = np.array([scale], np.float16).view(np.uint8)
        packed = blocks.reshape(len(value), -1)
        return packed, gguf.quants.dequantize(packed, packing)

    return scaled(float(value.std() / scaled(1.0)[1].std()))


def _is_matrix(name: str, value: np.ndarray) -> bool:
    return name.startswith("blocks.") and name.endswith(".weight") and value.ndim == 2


def _tensors(folder: Path) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    return tensors


def _write(tensors: dict[str, np.ndarray], path: Path, pack: Packing, architecture: str) -> Path:
    writer = gguf.GGUFWriter(str(path), architecture)
    for name, value in tensors.items():
        value = value.astype(np.float32)
        if _is_matrix(name, value):
            packed, kind = pack(name, value)
            writer.add_tensor(native(name), packed, raw_dtype=kind)
        else:
            writer.add_tensor(native(name), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
