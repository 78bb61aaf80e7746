"""Which LoRAs of the folder a model can use."""

from collections.abc import Iterable

from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.loras import Choice, references
from wan22_app.domain.speed import is_distilled, only_distilled
from wan22_app.ports import Library


def fitting(library: Library, entry: ModelEntry, name: str) -> tuple[LoraRef, ...]:
    """The files behind a name of the list, checked against the model; none where one is unfit."""
    try:
        refs = references([Choice(name)], library.loras())
        return tuple(library.check_lora(entry, ref) for ref in refs)
    except UserError:
        return ()


def distilled(library: Library, entry: ModelEntry, names: Iterable[str]) -> str | None:
    """The one four-step LoRA that fits; None where there is none, or a choice to make."""
    return only_distilled(n for n in filter(is_distilled, names) if fitting(library, entry, n))
