"""A named partial request: everything but what is made anew each time."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.values import Value

MOST_PRESETS = 50
"""For one person: a list that can still be read."""
LEFT_OUT = frozenset({"prompt", "image", "last_image", "continues", "seed"})
FIELDS = tuple(sorted(GenerationRequest.model_fields.keys() - LEFT_OUT))
"""Names of the form's fields that a preset may hold."""
LONGEST_VALUE = 2000


def _printable(text: str) -> str:
    text = " ".join(text.split())
    if not text or not text.isprintable():
        raise ValueError("not a name")
    return text


PresetName = Annotated[str, Field(max_length=60), AfterValidator(_printable)]


def _one_lora(fields: dict[str, str]) -> dict[str, str]:
    """Presets of before several LoRAs had a name and a strength."""
    name, strength = fields.get("lora"), fields.get("lora_strength") or "1"
    rest = {key: text for key, text in fields.items() if key not in ("lora", "lora_strength")}
    return {**rest, "loras": f"{name}:{strength}"} if name else rest


class Preset(Value):
    """``fields`` are texts as the form holds them; they are judged when a request is built."""

    id: str
    owner: str
    name: PresetName
    fields: Annotated[dict[str, str], AfterValidator(_one_lora)]


def kept(fields: Mapping[str, object]) -> dict[str, str]:
    """The part of a form that a preset holds; empty fields mean the model's default."""
    return {
        name: str(fields[name])[:LONGEST_VALUE]
        for name in FIELDS
        if fields.get(name) not in (None, "")
    }
