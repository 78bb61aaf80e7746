"""A pipeline's LoRAs: put in once, made stronger or weaker in place, taken out without a trace."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from diffusers.hooks.group_offloading import _maybe_remove_and_reapply_group_offloading
from safetensors import SafetensorError
from safetensors.torch import load_file

from wan22_app.domain.generation import LoraRef
from wan22_app.domain.lora_keys import Pair, read

Expert = Literal["high", "low"]
MISFIT = "size mismatch"
"""What torch says of a matrix that is not of its module's size."""


class BadLora(Exception):
    """The file cannot be used with this model; the text is its name, the cause says why."""


def fit(
    pipeline: Any,
    targets: Mapping[Expert, str],
    refs: Sequence[LoraRef],
    paths: Sequence[str],
) -> None:
    """Let each transformer have exactly these LoRAs, in these strengths.

    ``targets`` says under which name each expert lies in the pipeline. What is there already stays
    and gets its new strength, so a change of strength reads nothing; what is not wanted goes, and
    with the last one the base is back to the bit.
    """
    for expert, target in targets.items():
        transformer = getattr(pipeline, target)
        if transformer is None:
            continue
        wanted = {
            _name(ref, path): (ref, path)
            for ref, path in zip(refs, paths, strict=True)
            if ref.expert in ("both", expert)
        }
        _drop(transformer, wanted)
        for name in wanted.keys() - _there(transformer):
            _add(transformer, name, *wanted[name])
        if wanted:
            names = list(wanted)
            transformer.set_adapters(names, [wanted[name][0].strength for name in names])


def _name(ref: LoraRef, path: str) -> str:
    """Another one for another content or file; peft takes no dots."""
    return f"lora_{hashlib.sha256((ref.sha256 + path).encode()).hexdigest()[:16]}"


def _there(transformer: Any) -> set[str]:
    return set(getattr(transformer, "peft_config", {}))


def _drop(transformer: Any, wanted: Mapping[str, object]) -> None:
    there = _there(transformer)
    if there and not there & wanted.keys():
        # The plain modules come back, not only switched off adapters.
        transformer.unload_lora()
    elif gone := there - wanted.keys():
        transformer.delete_adapters(list(gone))


def _add(transformer: Any, name: str, ref: LoraRef, path: str) -> None:
    try:
        with warnings.catch_warnings():
            # peft takes a second adapter for a mistake; where warnings are errors, it would be one.
            warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
            # Not by the pipeline: beside a VAE that only visits the card it would put model offload
            # on all parts, and blocks that are offloaded refuse that.
            transformer.load_lora_adapter(
                dict(_weights(path)), prefix="transformer", adapter_name=name
            )
            _maybe_remove_and_reapply_group_offloading(transformer)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise BadLora(ref.file) from error
    except RuntimeError as error:
        # A want of memory is one, too, and no fault of the file.
        if MISFIT not in str(error):
            raise
        raise BadLora(ref.file) from error
    if name not in _there(transformer):
        raise BadLora(ref.file)


def _weights(path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The file's matrices under diffusers' names, each alpha worked into its second matrix."""
    tensors = load_file(path)
    for module, pair in read(tensors).pairs.items():
        if pair.whole:
            down, up = tensors[pair.down], tensors[pair.up]
            yield f"transformer.{module}.lora_A.weight", down
            yield f"transformer.{module}.lora_B.weight", _scaled(tensors, pair, up, len(down))


def _scaled(
    tensors: Mapping[str, torch.Tensor], pair: Pair, up: torch.Tensor, rank: int
) -> torch.Tensor:
    """Alpha over rank is the factor that the file was trained with; without one it is 1."""
    if not pair.alpha:
        return up
    scaled = (up.float() * (tensors[pair.alpha].float().item() / rank)).to(up.dtype)
    if not bool(scaled.isfinite().all()):
        # Finite numbers, of which the product is none: the video would be noise or black.
        raise ValueError(f"{pair.alpha} is too large for {up.dtype}")
    return scaled
