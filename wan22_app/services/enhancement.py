"""The prompt enhancer with a model's own limit and tokenizer."""

from functools import partial
from typing import Literal

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ImageUse
from wan22_app.domain.enhance import Enhanced, enhance
from wan22_app.domain.generation import PROMPT_LIMIT
from wan22_app.domain.values import Value
from wan22_app.ports import Library


class PromptLength(Value):
    """How much of what a model reads a prompt takes; characters until a tokenizer is there."""

    used: int
    limit: int
    unit: Literal["tokens", "characters"]

    @property
    def too_long(self) -> bool:
        """True when the form will refuse it."""
        return self.used > self.limit


class Enhancement:
    """Suggests a fuller prompt and measures prompts. Changes nothing anywhere."""

    def __init__(self, library: Library):
        self._library = library

    def suggest(self, person: Person, model: str, prompt: str, *, has_image: bool) -> Enhanced:
        """Enhance for a model. Raises ModelUnavailable for an unknown one, else for no text."""
        del person
        entry = self._library.entry(model)
        return enhance(
            prompt,
            has_image=has_image or entry.spec.image is ImageUse.REQUIRED,
            limit=entry.spec.text_length,
            count=partial(self._count, model),
        )

    def length(self, person: Person, model: str, prompt: str) -> PromptLength:
        """Measure a prompt. Raises ModelUnavailable for an unknown model."""
        del person
        entry = self._library.entry(model)
        tokens = self._count(model, prompt)
        if tokens is None or len(prompt) > PROMPT_LIMIT:
            return PromptLength(used=len(prompt), limit=PROMPT_LIMIT, unit="characters")
        return PromptLength(used=tokens, limit=entry.spec.text_length, unit="tokens")

    def _count(self, model: str, text: str) -> int | None:
        # A lone surrogate, which a browser can send, is no text to a tokenizer; the form refuses
        # it by its own message.
        sound = text.encode("utf-8", "replace").decode("utf-8")
        return self._library.tokens(self._library.entry(model), sound)
