"""Which module of the transformer each tensor of a LoRA file belongs to.

One file format, many names: diffusers and PEFT write ``transformer.blocks.0.attn1.to_q.lora_A``,
ComfyUI and the distilled Lightning files ``diffusion_model.blocks.0.self_attn.q.lora_down``, kohya
and musubi ``lora_unet_blocks_0_self_attn_q.lora_down`` with an ``alpha``. The modules and their
native names are those of Wan2.2 itself and of diffusers' ``WanTransformer3DModel``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TENSOR = re.compile(
    r"^(?P<module>.+?)\.(?:(?P<down>lora_A|lora_down)|(?P<up>lora_B|lora_up))(?:\.[\w-]+)?\.weight$"
)
_ALPHA = re.compile(r"^(?P<module>.+)\.alpha$")
_PREFIX = re.compile(
    r"^(?:base_model\.model\.|model\.|diffusion_model\.|transformer\.|lora_unet_|lora_transformer_)+"
)
_BLOCK = re.compile(r"^blocks[._](?P<number>\d{1,4})[._](?P<rest>.+)$")

ATTENTION = {
    f"{ours}.{part}": f"{native}.{name}"
    for ours, native in (("attn1", "self_attn"), ("attn2", "cross_attn"))
    for part, name in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "o"))
}
FEED_FORWARD = {"ffn.net.0.proj": "ffn.0", "ffn.net.2": "ffn.2"}
OUTSIDE = {
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
}
"""Linear modules outside the blocks; the patch embedding is a convolution and takes no LoRA."""


def _aliases(modules: Mapping[str, str]) -> dict[str, str]:
    """Every way to write a module's name, with dots or with underscores."""
    return {
        name.replace(".", mark): ours
        for ours, native in modules.items()
        for name in (ours, native)
        for mark in (".", "_")
    }


_IN_BLOCK = _aliases({**ATTENTION, **FEED_FORWARD})
_OUTSIDE = _aliases(OUTSIDE)


@dataclass(frozen=True)
class Pair:
    """The names of one module's two matrices in the file, and of its alpha where it has one."""

    down: str = ""
    up: str = ""
    alpha: str = ""

    @property
    def whole(self) -> bool:
        """Whether both matrices are there."""
        return bool(self.down and self.up)


@dataclass(frozen=True)
class Reading:
    """What a file's names mean: pairs by the module's name in diffusers, and names without one."""

    pairs: Mapping[str, Pair]
    unknown: tuple[str, ...]


def read(names: Iterable[str]) -> Reading:
    """Sort the tensors of a file by module; nothing is opened."""
    pairs: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for name in sorted(names):
        role, module = _role(name)
        target = module_of(module) if role else None
        # A second tensor for one place would silently win over the first.
        if target is None or role in pairs.get(target, {}):
            unknown.append(name)
        else:
            pairs.setdefault(target, {})[role] = name
    return Reading({module: Pair(**parts) for module, parts in pairs.items()}, tuple(unknown))


def block_of(module: str) -> int | None:
    """The number of the block that a module lies in; None outside the blocks."""
    found = _BLOCK.match(module)
    return int(found["number"]) if found else None


def module_of(name: str) -> str | None:
    """The module's name in diffusers for its name in any format; None where Wan2.2 has none."""
    bare = _PREFIX.sub("", name)
    found = _BLOCK.match(bare)
    if found is None:
        return _OUTSIDE.get(bare)
    inner = _IN_BLOCK.get(found["rest"])
    return inner and f"blocks.{int(found['number'])}.{inner}"


def _role(name: str) -> tuple[str, str]:
    """What a tensor is to its module, and the module as the file calls it; empty for neither."""
    if found := _TENSOR.match(name):
        return ("down" if found["down"] else "up"), found["module"]
    if found := _ALPHA.match(name):
        return "alpha", found["module"]
    return "", ""
