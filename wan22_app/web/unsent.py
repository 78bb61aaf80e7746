"""A form that was not sent, as the browser keeps it: written here, read as a stranger's words."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.generation import ImageRef
from wan22_app.web.pictures import from_draft
from wan22_app.web.security import is_text


@dataclass(frozen=True)
class Unsent:
    """What a form holds: texts by the names of their fields, and what was chosen to begin with."""

    model: str = ""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    image: ImageRef | None = None
    last_image: ImageRef | None = None
    continues: VideoRef | None = None


def written(form: Unsent) -> str:
    """The text that the browser keeps."""
    chosen = {
        "image": form.image, "last_image": form.last_image, "continues": form.continues,
    }  # fmt: skip
    kept = {name: each.model_dump() for name, each in chosen.items() if each}
    return json.dumps({"model": form.model, **kept, **form.texts})


def read(text: str, names: Collection[str]) -> Unsent:
    """What fits of it, for fields of these names; anything may be in there."""
    try:
        values = json.loads(text or "{}")
        texts = {
            name: value
            for name, value in values.items()
            if name in names and isinstance(value, str) and is_text(value)
        }
    except (ValueError, AttributeError, RecursionError):
        return Unsent()
    return Unsent(
        model=str(values.get("model")),
        texts=texts,
        image=from_draft(values.get("image")),
        last_image=from_draft(values.get("last_image")),
        continues=_video(values.get("continues")),
    )


def _video(value: object) -> VideoRef | None:
    try:
        return VideoRef.model_validate(value)
    except ValidationError:
        return None
