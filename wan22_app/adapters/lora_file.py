"""Whether a LoRA fits a model, judged from its header; and whether its numbers are numbers."""

import math
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from wan22_app.adapters.safetensors_header import BadFile, Tensor, data_start, read_header
from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.lora_keys import ATTENTION, Pair, Reading, block_of, read

MAX_RANK = 512
MADE_FOR = {
    5120: "A14B",
    3072: "TI2V-5B",
    1536: "Wan2.1 1.3B",
    128: "the demo models",
}
EXPONENT = {
    "F64": ("<u8", 0x7FF << 52),
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
"""How to look at a number's bits: with all of these set it is infinite or none at all."""
MATRICES = {"F32", "F16", "BF16"}
"""Types that a file's matrices may have."""
AT_ONCE = 1 << 24
ANOTHER = "Choose another file."
Shapes = tuple[int | None, int | None]


def check(path: Path, spec: ModelSpec, *, partly: bool = False) -> int:
    """How many weights of the file this model uses.

    ``partly`` is the consent to leave out what the model has no place for. Raises InvalidRequest
    with the first reason why the file cannot be used.
    """
    try:
        tensors = read_header(path)
    except BadFile as error:
        raise InvalidRequest(_damaged(path.name, str(error))) from error
    reading = read(tensors)
    reason = next(_reasons(path.name, tensors, reading, spec, partly=partly), None)
    if reason is not None:
        raise InvalidRequest(reason)
    used = (tensors[name] for pair in reading.pairs.values() for name in (pair.down, pair.up))
    return sum(math.prod(tensor.shape) for tensor in used)


def check_numbers(path: Path) -> None:
    """Raise InvalidRequest where a weight is infinite or not a number; reads the whole file."""
    try:
        tensors, start = read_header(path), data_start(path)
    except BadFile as error:
        raise InvalidRequest(_damaged(path.name, str(error))) from error
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for name, tensor in tensors.items():
            if tensor.dtype in EXPONENT and not _finite(data, start, tensor):
                raise InvalidRequest(
                    _problem(
                        "lora_numbers",
                        f"“{path.name}” holds weights that are no numbers, in {name[:80]}.",
                        "Its training went wrong, or the file is damaged. " + ANOTHER,
                    )
                )


def _finite(data: mmap.mmap, start: int, tensor: Tensor) -> bool:
    kind, exponent = EXPONENT[tensor.dtype]
    begin, end = (start + offset for offset in tensor.data_offsets)
    for at in range(begin, end, AT_ONCE):
        # A copy of the bytes: an array over the map itself would keep it from being closed.
        bits = np.frombuffer(data[at : min(at + AT_ONCE, end)], kind)
        if bool(((bits & exponent) == exponent).any()):
            return False
    return True


def _reasons(
    name: str, tensors: Mapping[str, Tensor], reading: Reading, spec: ModelSpec, *, partly: bool
) -> Iterator[Problem]:
    whole = {module: pair for module, pair in reading.pairs.items() if pair.whole}
    if not whole:
        yield _problem("no_lora", f"“{name}” holds no LoRA that this app knows.", ANOTHER)
    if len(whole) < len(reading.pairs):
        yield _problem("lora_unpaired", f"“{name}” is incomplete: halves are missing.", ANOTHER)
    dtypes = {tensors[key].dtype for pair in whole.values() for key in (pair.down, pair.up)}
    if odd := dtypes - MATRICES:
        yield _problem(
            "lora_type",
            f"“{name}” is stored as {', '.join(sorted(odd))}.",
            "Choose a file in F32, F16 or BF16.",
        )
    alphas = [tensors[pair.alpha] for pair in whole.values() if pair.alpha]
    if any(math.prod(alpha.shape) != 1 for alpha in alphas):
        yield _problem("lora_alpha", f"“{name}” has an alpha of more than one number.", ANOTHER)
    yield from _misfits(name, whole, tensors, spec)
    if reading.unknown and not partly:
        yield _partly(name, reading.unknown, len(tensors), spec)


def _misfits(
    name: str, pairs: Mapping[str, Pair], tensors: Mapping[str, Tensor], spec: ModelSpec
) -> Iterator[Problem]:
    """What the shapes and the depth say against it."""
    width = spec.attention_width
    for module, pair in sorted(pairs.items()):
        down, up = tensors[pair.down].shape, tensors[pair.up].shape
        if len(down) != 2 or len(up) != 2 or down[0] != up[1] or not down[0]:
            what = f"“{name}” has matrices that do not fit each other, in {module}."
            yield _problem("lora_shapes", what, ANOTHER)
            return
        found = next(
            (have for want, have in zip(_sides(module, spec), (down[1], up[0]), strict=True)
             if want not in (None, have)), None,
        )  # fmt: skip
        if found is not None:
            yield _problem(
                "lora_wrong_model",
                f"“{name}” was made for a {found}-wide model ({MADE_FOR.get(found, 'another')}); "
                f"{spec.name} is {width} wide.",
                f"Choose a LoRA for {spec.name}.",
            )
            return
    deepest = max((block_of(module) or 0 for module in pairs), default=0)
    if deepest >= spec.blocks:
        yield _problem(
            "lora_too_deep",
            f"“{name}” changes block {deepest + 1}; {spec.name} has {spec.blocks}.",
            f"Choose a LoRA for {spec.name}.",
        )
    rank = max((tensors[pair.down].shape[0] for pair in pairs.values()), default=0)
    if rank > MAX_RANK:
        what = f"“{name}” has rank {rank}; {MAX_RANK} is the most."
        yield _problem("lora_rank", what, ANOTHER)


def _sides(module: str, spec: ModelSpec) -> Shapes:
    """Inputs and outputs of a module where the model's width decides them."""
    width = spec.attention_width
    inner = module.split(".", 2)[2] if block_of(module) is not None else module
    if inner in ATTENTION:
        return width, width
    return {
        "ffn.net.0.proj": (width, spec.feed_forward),
        "ffn.net.2": (spec.feed_forward, width),
        "condition_embedder.text_embedder.linear_1": (None, width),
        "condition_embedder.text_embedder.linear_2": (width, width),
        "condition_embedder.time_embedder.linear_1": (None, width),
        "condition_embedder.time_embedder.linear_2": (width, width),
        "condition_embedder.time_proj": (width, 6 * width),
        "proj_out": (width, None),
    }[inner]


def _partly(name: str, unknown: Sequence[str], tensors: int, spec: ModelSpec) -> Problem:
    return Problem(
        code="lora_partly",
        what=f"{spec.name} has no place for {len(unknown)} of the {tensors} tensors in “{name}”.",
        cause="It was made for another kind of model, or holds more than a LoRA.",
        cure="Allow it to be used in part, or choose another file.",
        evidence="\n".join(unknown[:20]),
        field="loras",
    )


def _damaged(name: str, why: str) -> Problem:
    return _problem(
        "lora_damaged",
        f"“{name}” is not a usable LoRA: {why}.",
        "Fetch the file again, as .safetensors.",
    )


def _problem(code: str, what: str, cure: str) -> Problem:
    return Problem(code=code, what=what, cure=cure, field="loras")
