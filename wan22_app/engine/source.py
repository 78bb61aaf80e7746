"""Where the parts of a checkpoint come from: its folder, or a quantized copy of a part."""

# pyright: reportArgumentType=false
# diffusers annotates optional parts as required.

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    GGUFQuantizationConfig,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from transformers import AutoTokenizer, UMT5EncoderModel

from wan22_app.domain.catalog import ModelEntry, Precision, Quantization
from wan22_app.domain.plan import MemoryPlan
from wan22_app.engine.quantized import Copies, of_encoder, of_transformer
from wan22_app.engine.shelf import files_of, key_of
from wan22_app.engine.versions import libraries

EXPERTS = ("transformer", "transformer_2")
ENCODER, TOKENIZER = "text_encoder", "tokenizer"
DTYPES: dict[Precision, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}
Source = Callable[[ModelEntry, str, MemoryPlan], Any]
"""Reads a part of a checkpoint by its name, in the plan's types, into main memory."""


@dataclass(frozen=True)
class Disk:
    """The source of every run. What is quantized is so once, and then read from its copy."""

    copies: Copies

    def __call__(self, entry: ModelEntry, name: str, plan: MemoryPlan) -> Any:
        """Read a part."""
        kind = _kind(name, plan)
        if kind == "none":
            return from_disk(entry, name, plan)
        folder = Path(entry.folder)
        key = key_of(
            {
                "files": files_of(folder, name),
                "kind": kind,
                "precision": plan.precision,
                "versions": {**libraries(), "torchao": version("torchao")},
            }
        )
        found = self.copies.get(key, lambda copy: _copied(copy, name, plan))
        if found is not None:
            return found
        made = from_disk(entry, name, plan)
        size = sum(file.stat().st_size for file in (folder / name).iterdir())
        self.copies.put(key, made.save_pretrained, size)
        return made


def _kind(name: str, plan: MemoryPlan) -> Quantization:
    """What this part is quantized to."""
    if name in EXPERTS:
        return plan.quantization
    return plan.text_quantization if name == ENCODER else "none"


def _copied(copy: Path, name: str, plan: MemoryPlan) -> Any:
    kind = UMT5EncoderModel if name == ENCODER else WanTransformer3DModel
    return kind.from_pretrained(
        copy, torch_dtype=DTYPES[plan.precision], use_safetensors=True, local_files_only=True
    )


def from_disk(entry: ModelEntry, name: str, plan: MemoryPlan) -> Any:
    """Safetensors and JSON of a diffusers folder, and GGUF files; never a network."""
    folder = Path(entry.folder)
    where: dict[str, Any] = {"subfolder": name, "local_files_only": True}
    if name == TOKENIZER:
        return AutoTokenizer.from_pretrained(folder, **where)
    if name == "scheduler":
        return UniPCMultistepScheduler.from_pretrained(folder, **where)
    where["use_safetensors"] = True
    if name == "vae":
        return _load_vae(folder, where, DTYPES[plan.vae_precision])
    if name == ENCODER:
        # UMT5 overflows in fp16.
        dtype = torch.bfloat16 if plan.precision == "fp16" else DTYPES[plan.precision]
        where |= of_encoder(plan.text_quantization)
        return UMT5EncoderModel.from_pretrained(folder, torch_dtype=dtype, **where)
    dtype = DTYPES[plan.precision]
    if entry.experts:
        return _unpacking(folder, entry.experts[EXPERTS.index(name)], dtype)
    where |= of_transformer(plan.quantization)
    return WanTransformer3DModel.from_pretrained(folder, torch_dtype=dtype, **where)


def _unpacking(folder: Path, file: str, dtype: torch.dtype) -> Any:
    """A transformer whose matrices stay packed, each unpacked for its product."""
    # The shapes are those of the folder's own transformer, which has none of its weights left.
    return WanTransformer3DModel.from_single_file(
        file,
        config=str(folder),
        subfolder=EXPERTS[0],
        torch_dtype=dtype,
        quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
        local_files_only=True,
    )


def _load_vae(folder: Path, where: dict[str, Any], decoding: torch.dtype) -> Any:
    """The encoder is always in fp32: what it says in bf16 is visibly wrong."""
    vae: Any = AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.float32, **where)
    for part in (vae.decoder, vae.post_quant_conv):
        part.to(decoding)
    return vae
