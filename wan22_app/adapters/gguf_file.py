"""What a GGUF file is, by its header: a Wan2.2 transformer in few bits, something else, broken."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from gguf import GGUFReader

from wan22_app.adapters.safetensors_header import BadFile

ARCHITECTURE = "wan"
PACKED = frozenset({
    "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "Q3_K", "Q2_K", "IQ4_NL",
    "IQ4_XS",
})  # fmt: skip
"""What diffusers unpacks; ``BF16`` it treats as packed, too, which suits matrices alone."""
PLAIN = frozenset({"F32", "F16"})
PREFIX = "model.diffusion_model."
MATRICES = (
    *(f"{attention}.{part}" for attention in ("self_attn", "cross_attn") for part in "qkvo"),
    "ffn.0",
    "ffn.2",
)
"""Of each block, under Wan's own names."""
OUTSIDE = (
    "text_embedding.0", "text_embedding.2", "time_embedding.0", "time_embedding.2",
    "time_projection.1", "head.head",
)  # fmt: skip


class OtherModel(Exception):
    """A sound GGUF file of something that is no Wan model: a text encoder, say."""


@dataclass(frozen=True)
class Shape:
    """Dimensions of a transformer: what two files must share, and what a folder must have."""

    channels: int
    width: int
    feed_forward: int
    blocks: int
    text: int


@dataclass(frozen=True)
class PackedFile:
    """A transformer in a GGUF file. ``kind`` is what its matrices are packed in.

    ``bytes`` is what all its tensors take in memory, ``block_bytes`` one block's share.
    """

    kind: str
    shape: Shape
    bytes: int
    block_bytes: int


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: str
    bytes: int


def read(path: Path) -> PackedFile:
    """The transformer in a file, by its header. Raises OtherModel, or BadFile with the reason."""
    try:
        reader = GGUFReader(path)
        field = reader.get_field("general.architecture")
        architecture = str(field.contents()) if field else ""
        file_type = reader.get_field("general.file_type")
        said = int(file_type.contents()) if file_type else -1
        tensors = dict(_tensors(reader))
    except OSError as error:
        raise BadFile(error.strerror or "it cannot be read") from error
    except Exception as error:
        # The reader has no error of its own: what a damaged header raises is up to chance.
        raise BadFile(f"it is damaged or cut short ({type(error).__name__})") from error
    if architecture != ARCHITECTURE:
        raise OtherModel(architecture)
    shape = _shape(tensors)
    _require_all(tensors, shape)
    packed = sum(t.bytes for name, t in tensors.items() if name.startswith("blocks."))
    return PackedFile(
        kind=_kind(said, tensors),
        shape=shape,
        bytes=sum(tensor.bytes for tensor in tensors.values()),
        block_bytes=packed // shape.blocks,
    )


def _tensors(reader: GGUFReader) -> Iterator[tuple[str, _Tensor]]:
    for tensor in reader.tensors:
        shape = tuple(int(side) for side in reversed(tensor.shape))
        name = tensor.name.removeprefix(PREFIX)
        yield name, _Tensor(shape, tensor.tensor_type.name, int(tensor.n_bytes))


def _shape(tensors: Mapping[str, _Tensor]) -> Shape:
    blocks = {name.split(".")[1] for name in tensors if name.startswith("blocks.")}
    try:
        width, channels = tensors["patch_embedding.weight"].shape[:2]
        feed_forward = tensors["blocks.0.ffn.0.weight"].shape[0]
        text = tensors["text_embedding.0.weight"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise BadFile(f"it is no whole transformer: {error} is missing") from error
    return Shape(channels, width, feed_forward, len(blocks), text)


def _require_all(tensors: Mapping[str, _Tensor], shape: Shape) -> None:
    """Nothing missing, nothing unknown, and every tensor of a type that can be computed with."""
    wanted = _names(shape.blocks)
    if missing := wanted - tensors.keys():
        raise BadFile(f"it is no whole transformer: {min(missing)} is missing")
    if unknown := tensors.keys() - wanted:
        raise BadFile(f"it is no plain Wan2.2 transformer: it has {min(unknown)}")
    for name, tensor in tensors.items():
        matrix = name.endswith(".weight") and len(tensor.shape) == 2
        if tensor.kind not in (PLAIN | PACKED | {"BF16"} if matrix else PLAIN):
            raise BadFile(f"{name} is packed in {tensor.kind}, which cannot be unpacked here")


def _names(blocks: int) -> set[str]:
    both: set[str] = {"patch_embedding", *OUTSIDE}
    alone = {"head.modulation"}
    for number in range(blocks):
        block = f"blocks.{number}"
        both |= {f"{block}.{part}" for part in (*MATRICES, "norm3")}
        alone |= {
            f"{block}.{attention}.norm_{side}.weight"
            for attention in ("self_attn", "cross_attn")
            for side in "qk"
        }
        alone.add(f"{block}.modulation")
    return alone | {f"{name}.{kind}" for name in both for kind in ("weight", "bias")}


def _kind(said: int, tensors: Mapping[str, _Tensor]) -> str:
    """As the file calls itself, such as Q5_K_M; else what most of its bytes are packed in."""
    names: dict[int, Any] = {int(each): each.name for each in gguf.LlamaFileType}
    if str(names.get(said, "")).startswith("MOSTLY_"):
        return str(names[said]).removeprefix("MOSTLY_")
    amounts: dict[str, int] = {}
    for name, tensor in tensors.items():
        if name.startswith("blocks."):
            amounts[tensor.kind] = amounts.get(tensor.kind, 0) + tensor.bytes
    return max(amounts, key=lambda kind: amounts[kind])
