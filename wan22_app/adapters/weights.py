"""Recognise a diffusers folder of a Wan layout and say whether it is complete."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wan22_app.adapters.fingerprint import fingerprint
from wan22_app.adapters.gguf_file import Shape
from wan22_app.adapters.safetensors_header import BadFile, read_header
from wan22_app.domain.catalog import (
    DEMO_SPECS,
    GB,
    REAL_SPECS,
    DemoSettings,
    ImageUse,
    ModelEntry,
    ModelSpec,
    WeightsState,
)

INDEX = "model_index.json"
SETTINGS = "demo_settings.json"
PIPELINES = ("WanPipeline", "WanImageToVideoPipeline")
I2V_CHANNELS = 36
TI2V_CHANNELS = 48
TRANSFORMERS = ("transformer", "transformer_2")
REVISION_LENGTH = 12


def folders(models: Path) -> Iterator[Path]:
    """Diffusers folders under the models folder, at most two levels deep."""
    for index in visible(models, f"*/{INDEX}", f"*/*/{INDEX}"):
        yield index.parent


def visible(models: Path, *patterns: str) -> Iterator[Path]:
    """What lies under the models folder, pattern by pattern, but for what is hidden."""
    for pattern in patterns:
        for path in sorted(models.glob(pattern)):
            # A dot anywhere on the way: downloads that are not complete, and what tools leave.
            if not any(part.startswith(".") for part in path.relative_to(models).parts):
                yield path


def recognised(folder: Path) -> ModelEntry | None:
    """The entry that a folder stands for, None when it is no Wan2.2 checkpoint."""
    try:
        index = _json(folder / INDEX)
        if index.get("_class_name") not in PIPELINES:
            return None
        config = _json(folder / "transformer" / "config.json")
        spec = _spec(folder, index, config)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if spec is None:
        return None
    fault = _fault(folder, TRANSFORMERS[: spec.experts])
    if fault:
        return ModelEntry(
            spec=spec,
            state=WeightsState.DAMAGED,
            folder=str(folder.resolve()),
            bytes=_size(folder),
            problem=f"The weights of {spec.name} are not complete: {fault}.",
            cure=_fetch(spec, folder),
        )
    return ModelEntry(
        spec=spec,
        state=WeightsState.READY,
        folder=str(folder.resolve()),
        revision=_revision(folder),
        bytes=_size(folder),
    )


class Base(NamedTuple):
    """What a folder gives a GGUF transformer of the same shape: all but transformers."""

    folder: Path
    spec: ModelSpec
    shape: Shape
    revision: str


def base(folder: Path) -> Base | None:
    """The folder as the base of GGUF files, whether its own transformers' weights are there or not;
    None where something else is missing."""
    try:
        index, config = _json(folder / INDEX), _json(folder / "transformer" / "config.json")
        spec = _spec(folder, index, config)
        if spec is None or index.get("_class_name") not in PIPELINES or _fault(folder, ()):
            return None
        shape = Shape(
            channels=int(config["in_channels"]),
            width=spec.attention_width,
            feed_forward=int(config["ffn_dim"]),
            blocks=spec.blocks,
            text=int(config["text_dim"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Base(folder, spec, shape, _revision(folder, without="transformer"))


def missing(spec: ModelSpec, models: Path) -> ModelEntry:
    """The entry of a model that is not here, with what it needs."""
    costs = spec.costs
    size = costs.transformer_bytes * costs.experts + costs.text_bytes + costs.vae_bytes
    if spec.demo:
        what = f"{spec.name}, which comes with the app, is not in the models folder."
        cure = f"Run: python -m wan22_app.demo {models}"
    else:
        folder = models / spec.repo.rpartition("/")[2]
        what = f"{spec.name} needs its weights: {spec.repo}, about {size / GB:.0f} GB in bf16."
        cure = (
            f"Get it on the Optimizations page, or run: wan22 models get {spec.key}. Or put that "
            f"diffusers folder at {folder}. It wants an NVIDIA card with 12 GB or more."
        )
    return ModelEntry(spec=spec, state=WeightsState.MISSING, bytes=size, problem=what, cure=cure)


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no table")
    return content


def _spec(folder: Path, index: dict[str, Any], config: dict[str, Any]) -> ModelSpec | None:
    """The catalogue's entry, or one of its own for a checkpoint of other dimensions."""
    layout = _layout(index, config)
    if layout is None:
        return None
    if (folder / SETTINGS).is_file():
        demo = next(spec for spec in DEMO_SPECS if spec.task is layout.task)
        return DemoSettings.model_validate(_json(folder / SETTINGS)).applied_to(demo)
    width = int(config["num_attention_heads"]) * int(config["attention_head_dim"])
    blocks = int(config["num_layers"])
    if (width, blocks) == (layout.attention_width, layout.blocks):
        return layout
    return layout.model_copy(
        update={
            "key": re.sub(r"[^a-z0-9._-]+", "-", folder.name.lower()).strip("-._") or "model",
            "name": folder.name,
            "repo": "",
            "attention_width": width,
            "blocks": blocks,
        }
    )


def _layout(index: dict[str, Any], config: dict[str, Any]) -> ModelSpec | None:
    """Which of the three layouts the shape of the transformer is; None for Wan2.1 and others."""
    channels = int(config["in_channels"])
    second = index.get("transformer_2") or (None, None)
    if channels == TI2V_CHANNELS:
        return real(ImageUse.OPTIONAL)
    if second[0] is None:
        return None
    return real(ImageUse.REQUIRED if channels == I2V_CHANNELS else ImageUse.NONE)


def real(image: ImageUse) -> ModelSpec:
    """The catalogue's layout that takes images so."""
    return next(spec for spec in REAL_SPECS if spec.image is image)


def _fault(folder: Path, transformers: Sequence[str]) -> str:
    """What is missing or cut short, empty when all is well."""
    for part in ("text_encoder", "vae", *transformers):
        fault = _component_fault(folder / part)
        if fault:
            return fault
    if not any((folder / "tokenizer").glob("*.json")):
        return "the tokenizer is missing"
    return "" if (folder / "scheduler").is_dir() else "the scheduler is missing"


def _component_fault(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    wanted = set()
    for index in folder.glob("*.safetensors.index.json"):
        wanted |= set(_json(index).get("weight_map", {}).values())
    absent = wanted - {file.name for file in files}
    if not files or absent:
        return f"{folder.name}/{min(absent, default='*.safetensors')} is missing"
    for file in files:
        try:
            read_header(file)
        except BadFile as error:
            return f"{folder.name}/{file.name}: {error}"
    return ""


def _fetch(spec: ModelSpec, folder: Path) -> str:
    if spec.demo:
        return f"Remove {folder}, then run: python -m wan22_app.demo {folder.parents[1]}"
    if not spec.repo:
        return f"Put the whole folder at {folder} again."
    return f"Get it again on the Optimizations page, or run: wan22 models get {spec.key}."


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _revision(folder: Path, without: str = "") -> str:
    """Identifies the weights without reading gigabytes: names and fingerprints of all their files,
    but for weights in folders whose name begins with ``without``."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".safetensors", ".json") and file.is_file():
            name = file.relative_to(folder).as_posix()
            if without and name.startswith(without) and file.suffix == ".safetensors":
                continue
            digest.update(f"{name} {fingerprint(file)}\n".encode())
    return digest.hexdigest()[:REVISION_LENGTH]
