"""From a diffusers folder to a placed pipeline, one component at a time."""

# pyright: reportArgumentType=false
# diffusers annotates optional parts as required.

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from torch import nn
from transformers import AutoTokenizer, UMT5EncoderModel

from wan22_app.domain.catalog import ImageUse, ModelEntry, Precision
from wan22_app.domain.memory import MemoryPlan
from wan22_app.engine.lean import Lean
from wan22_app.engine.placement import place, place_encoder
from wan22_app.engine.progress import Brake
from wan22_app.engine.text import ENCODER, TOKENIZER, Encoder, Reader, Shelf
from wan22_app.engine.versions import device_name, libraries

Pipeline = WanPipeline | WanImageToVideoPipeline
PIPELINES = ("WanPipeline", "WanImageToVideoPipeline")
EXPERTS = ("transformer", "transformer_2")
DTYPES: dict[Precision, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}


class BadWeights(Exception):
    """The folder is not a complete Wan2.2 checkpoint of the expected layout."""


@dataclass(frozen=True)
class Key:
    """What two jobs must share to use the same loaded pipeline."""

    folder: str
    revision: str
    precision: Precision
    offload: str
    device: str

    @classmethod
    def of(cls, entry: ModelEntry, plan: MemoryPlan) -> "Key":
        """The key of a job's entry and plan."""
        return cls(entry.folder, entry.revision, plan.precision, plan.offload, plan.device)


@dataclass(frozen=True)
class Loaded:
    """A pipeline on its device. ``text`` and ``image`` share every module; either may be None.

    Neither has a text encoder: that is the reader's, which may do without.
    """

    key: Key
    text: WanPipeline | None
    image: WanImageToVideoPipeline | None
    brake: Brake
    forwards: tuple[Lean, ...]
    reader: Reader

    def chunk(self, tokens: int) -> None:
        """Let the transformers work on so many tokens at a time."""
        for forward in self.forwards:
            forward.chunk = tokens

    def pipeline(self, *, with_image: bool) -> Pipeline:
        """The pipeline class for a request with or without a start image."""
        pipeline = self.image if with_image else self.text
        if pipeline is None:
            raise BadWeights(f"this checkpoint cannot run {'with' if with_image else 'without'} "
                             "an image")  # fmt: skip
        return pipeline


def load(
    entry: ModelEntry, plan: MemoryPlan, brake: Brake, on_part: Callable[[], None], reader: Reader
) -> Loaded:
    """Load and place what ``components`` names; raises OSError or whatever loading raises."""
    folder = Path(entry.folder)
    parts: dict[str, Any] = {}
    for name in components(entry):
        parts[name] = _load_component(folder, name, plan)
        on_part()
    forwards = tuple(Lean(parts[name], plan.chunk) for name in EXPERTS if name in parts)
    loaded = Loaded(Key.of(entry, plan), *_pipelines(entry, parts), brake, forwards, reader)
    brake.guard(_blocks(parts))
    place(loaded.text or loaded.image, plan)
    return loaded


def reader_of(entry: ModelEntry, plan: MemoryPlan, brake: Brake, shelf: Shelf) -> Reader:
    """What reads a checkpoint's texts; nothing is loaded yet."""

    def load_encoder() -> Encoder:
        folder = Path(entry.folder)
        tokenizer = _load_component(folder, TOKENIZER, plan)
        model = _load_component(folder, ENCODER, plan)
        _require_tied_embedding(model)
        brake.guard(model.encoder.block)
        place_encoder(model, plan)
        return Encoder(tokenizer, model, plan)

    basis = {
        "revision": entry.revision,
        "precision": plan.precision,
        "device": device_name(plan.device),
        "versions": libraries(),
    }
    return Reader(Path(entry.folder), shelf, basis, load_encoder)


def components(entry: ModelEntry) -> list[str]:
    """The parts of a pipeline without a text encoder; raises BadWeights when it is none of ours."""
    folder = Path(entry.folder)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadWeights(f"model_index.json cannot be read: {error}") from error
    if index.get("_class_name") not in PIPELINES:
        raise BadWeights(f"model_index.json names {index.get('_class_name')}, no Wan pipeline")
    experts = EXPERTS[: entry.spec.experts]
    return ["scheduler", "vae", *experts]


def _load_component(folder: Path, name: str, plan: MemoryPlan) -> Any:
    where: dict[str, Any] = {"subfolder": name, "local_files_only": True}
    if name == TOKENIZER:
        return AutoTokenizer.from_pretrained(folder, **where)
    if name == "scheduler":
        return UniPCMultistepScheduler.from_pretrained(folder, **where)
    where["use_safetensors"] = True
    if name == "vae":
        # Always fp32: encoding in bf16 is visibly wrong, and decoding follows the plan's fp32.
        return AutoencoderKLWan.from_pretrained(folder, torch_dtype=torch.float32, **where)
    if name == ENCODER:
        # UMT5 overflows in fp16.
        dtype = torch.bfloat16 if plan.precision == "fp16" else DTYPES[plan.precision]
        return UMT5EncoderModel.from_pretrained(folder, torch_dtype=dtype, **where)
    dtype = DTYPES[plan.precision]
    return WanTransformer3DModel.from_pretrained(folder, torch_dtype=dtype, **where)


def _require_tied_embedding(text_encoder: Any) -> None:
    """Some transformers versions left this table random, and prompts meant nothing."""
    if text_encoder.shared.weight is not text_encoder.encoder.embed_tokens.weight:
        raise BadWeights("the text encoder's embedding was not loaded")


def _pipelines(
    entry: ModelEntry, parts: dict[str, Any]
) -> tuple[WanPipeline | None, WanImageToVideoPipeline | None]:
    """Both classes over the same modules. from_pipe would cast them all to fp32."""
    parts = {"tokenizer": None, "text_encoder": None, "transformer_2": None, **parts}
    options = {
        "boundary_ratio": entry.spec.boundary,
        "expand_timesteps": entry.spec.boundary is None,
    }
    text = image = None
    if entry.spec.image is not ImageUse.REQUIRED:
        text = WanPipeline(**parts, **options)
    if entry.spec.image is not ImageUse.NONE:
        image = WanImageToVideoPipeline(
            **parts, **options, image_encoder=None, image_processor=None
        )
    return text, image


def _blocks(parts: dict[str, Any]) -> list[nn.Module]:
    """Everything that takes long enough to want a brake before it."""
    vae = parts["vae"]
    blocks: list[nn.Module] = []
    for name in EXPERTS:
        if name in parts:
            blocks += list(parts[name].blocks)
    return [*blocks, *vae.encoder.down_blocks, *vae.decoder.up_blocks]
