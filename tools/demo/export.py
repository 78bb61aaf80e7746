"""The finished parts as diffusers folders, with settings and model card."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from wan22_app.domain.catalog import DemoSettings, ModelSpec

SETTINGS = "demo_settings.json"
CARD = """---
license: apache-2.0
library_name: diffusers
---

# {name}: a toy that understands shapes

**Not Wan2.2.** These are {millions:.1f} million parameters in the shape of {layout}, trained from
nothing on drawn clips, so that the app can be tried and tested without download and without GPU.

- **Draws** one or two objects on a background, {frames} frames, {sizes}.
  - Colours: {colours}.
  - Shapes: {shapes}.
  - Motions: {motions}.
  - Backgrounds: {backgrounds}; black when none is told.
- **Reads** English sentences of up to {text_length} tokens, in any word order, with some synonyms
  ("crimson ball drifting to the left"). Other words are read and mean nothing to it.
- **Data**: scenes and sentences drawn by the training program; {clips} clips for the transformers.
  No photograph, no video, no text of anybody.
- **Training**: {how};
  text encoder, VAE and transformers one after the other, on two CPU cores. Weights are averages
  over the last steps, rounded to half precision.
- **Make it again**: `python -m tools.train_demo_models` in the project's folder. How well it does:
  `docs/demo-models.md`.
- **Licence**: Apache-2.0, like the project.
- **Weights**: sha256 {digest}
"""


def export(pipeline: Any, folder: Path, spec: ModelSpec, card: dict[str, Any]) -> None:
    """Write a pipeline, its settings and its card; weights in half precision."""
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    count = sum(value.numel() for part in parts for value in part.parameters())
    # Padding and truncation of its last use would be stored with it.
    pipeline.tokenizer.backend_tokenizer.no_padding()
    pipeline.tokenizer.backend_tokenizer.no_truncation()
    for part in parts:
        part.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part in parts:
        part.float()
    settings = DemoSettings(
        shift=spec.shift, text_length=spec.text_length, frames=spec.frames, sizes=spec.sizes
    )
    (folder / SETTINGS).write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
    text = CARD.format(
        name=spec.name,
        millions=count / 1e6,
        frames=spec.frames,
        sizes=", ".join(map(str, spec.sizes)),
        text_length=spec.text_length,
        digest=_digest(folder),
        **card,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def replace_vae(folder: Path, vae: Any) -> None:
    """Another VAE for a checkpoint that is there, and the card's hash anew."""
    old = _digest(folder)
    vae.half().save_pretrained(folder / "vae", safe_serialization=True)
    vae.float()
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace(old, _digest(folder)), encoding="utf-8")


def _digest(folder: Path) -> str:
    """One hash over all weights, in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
