"""Prompts as embeddings: kept on the disk, and the text encoder is loaded for new ones only.

Wan2.2's encoder has 11 GB and takes longer to load than a prompt to read, so a job whose texts are
known does without it.
"""

# pyright: reportArgumentType=false
# diffusers annotates optional parts as required.

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import WanPipeline

from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import MemoryPlan
from wan22_app.engine.placement import give_back, visits
from wan22_app.engine.shelf import Shelf, files_of, key_of
from wan22_app.engine.source import ENCODER, TOKENIZER


@dataclass(frozen=True)
class Prompt:
    """Embeddings ``[1, L, D]`` in the transformer's type; ``negative`` is None without guidance.

    ``fresh``: the encoder was at work for them.
    """

    positive: torch.Tensor
    negative: torch.Tensor | None
    fresh: bool = False


class Reader:
    """Reads the texts of one checkpoint on one device.

    ``load`` brings the tokenizer and the placed encoder, when a text is new for the first time.
    ``basis`` is what embeddings depend on beside text and files: type, device, versions.
    """

    def __init__(
        self, folder: Path, shelf: Shelf, basis: dict[str, object], load: Callable[[], "Encoder"]
    ):
        self._shelf = shelf
        self._basis = {**basis, "files": files_of(folder, ENCODER, TOKENIZER)}
        self._load = load
        self._encoder: Encoder | None = None

    def needs_encoder(self, request: GenerationRequest, length: int) -> bool:
        """Whether the encoder has to be loaded for this request."""
        if self._encoder is not None:
            return False
        keys = [self._key(text, length) for text in texts_of(request)]
        return any(self._shelf.get(key) is None for key in keys)

    def load(self) -> None:
        """Bring the encoder."""
        self._encoder = self._load()

    def drop(self) -> None:
        """Give the encoder's memory back."""
        self._encoder = None
        give_back()

    def read(
        self, request: GenerationRequest, length: int, device: torch.device, dtype: torch.dtype
    ) -> Prompt:
        """The request's texts, padded with zeros to ``length`` tokens as diffusers does."""
        read = [self._rows(text, length) for text in texts_of(request)]
        padded = [
            torch.cat([rows, rows.new_zeros(length - len(rows), rows.shape[1])])[None].to(dtype)
            for rows in (rows.to(device) for rows, _ in read)
        ]
        fresh = any(new for _, new in read)
        return Prompt(padded[0], padded[1] if len(padded) > 1 else None, fresh)

    def _rows(self, text: str, length: int) -> tuple[torch.Tensor, bool]:
        """The rows of a text, and whether it had not been read before."""
        key = self._key(text, length)
        kept = self._shelf.get(key)
        if kept is not None:
            return kept, False
        if self._encoder is None:
            # Another engine has made room in the moment since ``needs_encoder``.
            self.load()
        assert self._encoder is not None
        rows = self._encoder(text, length)
        self._shelf.put(key, rows)
        return rows, True

    def _key(self, text: str, length: int) -> str:
        return key_of({**self._basis, "text": text, "length": length})


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and an encoder that knows its place."""

    tokenizer: Any
    model: Any
    plan: MemoryPlan

    def __call__(self, text: str, length: int) -> torch.Tensor:
        """Rows ``[L, D]`` of the text's tokens, cut at ``length``, without the padding's zeros."""
        device = torch.device(self.plan.device)
        if visits(self.plan):
            self.model.to(device)
        pipeline: Any = WanPipeline(self.tokenizer, self.model, None, None)
        try:
            padded, _ = pipeline.encode_prompt(
                text, do_classifier_free_guidance=False, max_sequence_length=length, device=device
            )
        finally:
            # One that was stopped must not stay where the transformer goes next.
            if visits(self.plan):
                self.model.to("cpu")
        told = padded[0].any(-1).nonzero()
        return padded[0, : int(told[-1]) + 1 if len(told) else 0]


def texts_of(request: GenerationRequest) -> list[str]:
    """What is to be read: the prompt and, with guidance, the negative one."""
    guided = [request.negative_prompt] if request.guidance > 1.0 else []
    return [request.prompt, *guided]
