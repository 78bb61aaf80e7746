"""Weights, LoRAs and start images on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.generation import ImageRef, LoraRef
from wan22_app.domain.picture import Background


class Library(Protocol):
    """Weights and LoRAs on this machine."""

    def entries(self) -> Sequence[ModelEntry]:
        """Every catalogue entry and every other diffusers folder of a Wan layout, real first."""
        ...

    def entry(self, key: str) -> ModelEntry:
        """Raises ModelUnavailable for an unknown key (not for missing weights)."""
        ...

    def loras(self) -> Sequence[str]:
        """File names under the LoRA folder, sorted."""
        ...

    def check_lora(self, entry: ModelEntry, ref: LoraRef) -> LoraRef:
        """Read the header only; returns the reference with its hash. Raises InvalidRequest."""
        ...

    def lora_path(self, ref: LoraRef) -> Path: ...

    def tokens(self, entry: ModelEntry, text: str) -> int | None:
        """Length in the model's own tokens, end mark included; None without a tokenizer file."""
        ...


class Images(Protocol):
    """The gate for start images; decodes outside the calling process."""

    def accept(self, data: bytes, background: Background = "black") -> ImageRef:
        """Check, rotate after EXIF, drop metadata, store as PNG. Raises InvalidRequest.

        What is transparent lies on the background; the picture with its transparency is kept.
        """
        ...

    def on_background(self, image: ImageRef, background: Background) -> ImageRef:
        """The same picture on another background; itself when nothing in it is transparent.

        Raises InvalidRequest when the picture is gone.
        """
        ...

    def path(self, image: ImageRef) -> Path:
        """Where the PNG lies; the file exists. Raises InvalidRequest when it is gone."""
        ...
