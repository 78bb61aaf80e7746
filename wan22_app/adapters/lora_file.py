"""Whether a LoRA fits a model, judged from its header alone."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wan22_app.adapters.safetensors_header import BadFile, Tensor, read_header
from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.errors import InvalidRequest, Problem

MAX_RANK = 512
DOWN = re.compile(r"\.(?:lora_A|lora_down)(?:\.[\w-]+)?\.weight$")
UP = re.compile(r"\.(?:lora_B|lora_up)(?:\.[\w-]+)?\.weight$")
BLOCK = re.compile(r"blocks[._](\d+)[._]")
AT_MODEL_WIDTH = re.compile(
    r"attn[\w.]*[._](?:q|k|v|o|to_q|to_k|to_v|to_out)\b|ffn[._](?:net[._])?0"
)
MADE_FOR = {5120: "A14B", 3072: "TI2V-5B", 1536: "Wan2.1 1.3B", 128: "the demo models"}


def check(path: Path, spec: ModelSpec) -> None:
    """Raise InvalidRequest with the first reason why this file cannot be used with this model."""
    try:
        tensors = read_header(path)
    except BadFile as error:
        raise InvalidRequest(
            _problem(
                "lora_damaged",
                f"“{path.name}” is not a usable LoRA: {error}.",
                "Fetch the file again, as .safetensors.",
            )
        ) from error
    reason = next(_reasons(path.name, tensors, spec), None)
    if reason is not None:
        raise InvalidRequest(reason)


def _reasons(name: str, tensors: Mapping[str, Tensor], spec: ModelSpec) -> Iterator[Problem]:
    downs = {key: tensor for key, tensor in tensors.items() if DOWN.search(key)}
    ups = {key for key in tensors if UP.search(key)}
    another = "Choose another file."
    if not downs:
        yield _problem("no_lora", f"“{name}” holds no LoRA that this app knows.", another)
    if {DOWN.sub("", key) for key in downs} != {UP.sub("", key) for key in ups}:
        yield _problem("lora_unpaired", f"“{name}” is incomplete: halves are missing.", another)
    width = _width(downs)
    if width is not None and width != spec.attention_width:
        made_for = MADE_FOR.get(width, "another model")
        yield _problem(
            "lora_wrong_model",
            f"“{name}” was made for a {width}-wide model ({made_for}); "
            f"{spec.name} is {spec.attention_width} wide.",
            f"Choose a LoRA for {spec.name}.",
        )
    blocks = [int(match.group(1)) for key in downs if (match := BLOCK.search(key))]
    if blocks and max(blocks) >= spec.blocks:
        yield _problem(
            "lora_too_deep",
            f"“{name}” changes block {max(blocks) + 1}; {spec.name} has {spec.blocks}.",
            f"Choose a LoRA for {spec.name}.",
        )
    ranks = [tensor.shape[0] for tensor in downs.values() if tensor.shape]
    if ranks and max(ranks) > MAX_RANK:
        yield _problem("lora_rank", f"“{name}” has rank {max(ranks)}; {MAX_RANK} is the most.",
                       another)  # fmt: skip


def _width(downs: Mapping[str, Tensor]) -> int | None:
    """The width of the model it was trained on; feed-forward outputs are wider than that."""
    for key, tensor in downs.items():
        if "cross_attn" in key or "attn2" in key:
            continue
        if AT_MODEL_WIDTH.search(key) and len(tensor.shape) >= 2:
            return tensor.shape[1]
    return None


def _problem(code: str, what: str, cure: str) -> Problem:
    return Problem(code=code, what=what, cure=cure, field="loras")
