"""From a diffusers folder to a placed pipeline, one component at a time."""

# pyright: reportArgumentType=false
# diffusers annotates optional parts as required.

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline
from torch import nn

from wan22_app.domain.catalog import (
    ImageUse,
    ModelEntry,
    Precision,
    Quantization,
    TextQuantization,
    VaePrecision,
)
from wan22_app.domain.plan import MemoryPlan
from wan22_app.engine.lean import Lean
from wan22_app.engine.placement import place, place_encoder, place_transformer, place_vae
from wan22_app.engine.progress import Brake
from wan22_app.engine.quicken import quicken
from wan22_app.engine.shelf import Shelf
from wan22_app.engine.source import ENCODER, EXPERTS, TOKENIZER, Source
from wan22_app.engine.text import Encoder, Reader
from wan22_app.engine.versions import device_name, libraries

Pipeline = WanPipeline | WanImageToVideoPipeline
PIPELINES = ("WanPipeline", "WanImageToVideoPipeline")


class BadWeights(Exception):
    """The folder is not a complete Wan2.2 checkpoint of the expected layout."""


@dataclass(frozen=True)
class Key:
    """What two jobs must share to use the same loaded pipeline."""

    folder: str
    revision: str
    precision: Precision
    vae_precision: VaePrecision
    quantization: Quantization
    text_quantization: TextQuantization
    offload: str
    keep: str
    device: str

    @classmethod
    def of(cls, entry: ModelEntry, plan: MemoryPlan) -> "Key":
        """The key of a job's entry and plan."""
        return cls(
            entry.folder, entry.revision, plan.precision, plan.vae_precision, plan.quantization,
            plan.text_quantization, plan.offload, plan.keep, plan.device,
        )  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """A pipeline on its device. ``text`` and ``image`` share every module; either may be None.

    Neither has a text encoder: that is the reader's, which may do without.
    """

    key: Key
    entry: ModelEntry
    text: WanPipeline | None
    image: WanImageToVideoPipeline | None
    brake: Brake
    reader: Reader
    forwards: dict[str, Lean]
    source: Source

    def work_so(self, plan: MemoryPlan) -> None:
        """Let the transformers work on so many tokens at a time, compiled or not."""
        for forward in self.forwards.values():
            forward.follow(plan)

    def bring(self, name: str, plan: MemoryPlan) -> None:
        """Read an expert from the disk and put it in the first one's place.

        Raises BadWeights when it cannot be read, and whatever a want of memory raises.
        """
        try:
            module, forward = _load_expert(self.source, self.entry, name, plan, self.brake)
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise BadWeights(f"{name}: {type(error).__name__}: {error}") from error
        self.forwards["transformer"] = forward
        self.put("transformer", module)

    def put(self, name: str, module: nn.Module | None) -> None:
        """Let both pipelines have this module, or nothing, under a name."""
        for pipeline in (self.text, self.image):
            if pipeline is not None:
                pipeline.register_modules(**{name: module})

    def pipeline(self, *, with_image: bool) -> Pipeline:
        """The pipeline class for a request with or without a start image."""
        pipeline = self.image if with_image else self.text
        if pipeline is None:
            raise BadWeights(f"this checkpoint cannot run {'with' if with_image else 'without'} "
                             "an image")  # fmt: skip
        return pipeline


def load(
    entry: ModelEntry,
    plan: MemoryPlan,
    brake: Brake,
    on_part: Callable[[], None],
    reader: Reader,
    source: Source,
) -> Loaded:
    """Load and place what ``components`` names; raises OSError or whatever loading raises."""
    parts: dict[str, Any] = dict.fromkeys(("tokenizer", "text_encoder", *EXPERTS))
    forwards: dict[str, Lean] = {}
    for name in components(entry, plan):
        if name in EXPERTS:
            parts[name], forwards[name] = _load_expert(source, entry, name, plan, brake)
        else:
            parts[name] = source(entry, name, plan)
        on_part()
    quicken(parts["vae"])
    place_vae(parts["vae"], plan)
    brake.guard([*parts["vae"].encoder.down_blocks, *parts["vae"].decoder.up_blocks])
    text, image = _pipelines(entry, parts)
    place(text or image, plan)
    return Loaded(Key.of(entry, plan), entry, text, image, brake, reader, forwards, source)


def _load_expert(
    source: Source, entry: ModelEntry, name: str, plan: MemoryPlan, brake: Brake
) -> tuple[Any, Lean]:
    """A transformer with our forward, guarded and placed, in this order: offload wraps both."""
    module = source(entry, name, plan)
    forward = Lean(module, plan.chunk)
    forward.follow(plan)
    brake.guard(module.blocks)
    place_transformer(module, plan)
    return module, forward


def reader_of(
    entry: ModelEntry, plan: MemoryPlan, brake: Brake, shelf: Shelf, source: Source
) -> Reader:
    """What reads a checkpoint's texts; nothing is loaded yet."""

    def load_encoder() -> Encoder:
        tokenizer = source(entry, TOKENIZER, plan)
        model = source(entry, ENCODER, plan)
        _require_tied_embedding(model)
        brake.guard(model.encoder.block)
        place_encoder(model, plan)
        return Encoder(tokenizer, model, plan)

    basis = {
        "revision": entry.revision,
        "precision": plan.precision,
        "quantization": plan.text_quantization,
        "device": device_name(plan.device),
        "versions": libraries(),
    }
    return Reader(Path(entry.folder), shelf, basis, load_encoder)


def components(entry: ModelEntry, plan: MemoryPlan) -> list[str]:
    """What a pipeline starts with: neither the text encoder nor what comes in its turn.

    Raises BadWeights when the folder holds none of ours.
    """
    folder = Path(entry.folder)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadWeights(f"model_index.json cannot be read: {error}") from error
    if index.get("_class_name") not in PIPELINES:
        raise BadWeights(f"model_index.json names {index.get('_class_name')}, no Wan pipeline")
    experts = EXPERTS[: entry.spec.experts] if plan.keep == "all" else ()
    return ["scheduler", "vae", *experts]


def _require_tied_embedding(text_encoder: Any) -> None:
    """Some transformers versions left this table random, and prompts meant nothing."""
    if text_encoder.shared.weight is not text_encoder.encoder.embed_tokens.weight:
        raise BadWeights("the text encoder's embedding was not loaded")


def _pipelines(
    entry: ModelEntry, parts: dict[str, Any]
) -> tuple[WanPipeline | None, WanImageToVideoPipeline | None]:
    """Both classes over the same modules. from_pipe would cast them all to fp32."""
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
