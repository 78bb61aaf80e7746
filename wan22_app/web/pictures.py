"""A start image as the form shows it: the part that the model sees, and what was done to it."""

from dataclasses import dataclass, field
from fractions import Fraction

from pydantic import ValidationError

from wan22_app.domain.catalog import Size
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.picture import Axis, free_axis
from wan22_app.web import words
from wan22_app.web.urls import image_url

FRAME_HEIGHT = 208
"""Pixels of the preview at most; wide shapes are limited by the column instead."""
PLACES = {"x": words.CROP_ACROSS, "y": words.CROP_DOWN, "": ()}
SHARES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class PictureView:
    """``ratio``, ``width`` and ``position`` are CSS; ``place`` is one of ``places`` or empty."""

    sha256: str = ""
    src: str = ""
    size: str = ""
    notes: list[str] = field(default_factory=list)
    transparent: bool = False
    background: str = ""
    ratio: str = "1 / 1"
    width: str = "100%"
    position: str = "50% 50%"
    places: list[str] = field(default_factory=list)
    place: str = ""
    percent: str = "50"


def picture_view(image: ImageRef | None, asked: Size | None) -> PictureView:
    """The view of an image, in a frame of the asked shape, or its own while none is known."""
    if image is None:
        return PictureView()
    shape = asked or Size(width=image.width, height=image.height)
    axis = free_axis(Size(width=image.width, height=image.height), shape)
    share = image.focus_y if axis == "y" else image.focus_x
    places = list(PLACES[axis])
    ratio = Fraction(shape.width, shape.height)
    return PictureView(
        sha256=image.sha256,
        src=image_url(image.sha256),
        size=f"{image.width}×{image.height}",
        notes=_notes(image),
        transparent=bool(image.original),
        background=words.BACKGROUNDS[image.background],
        ratio=f"{ratio.numerator} / {ratio.denominator}",
        width=f"min(100%, {round(FRAME_HEIGHT * ratio)}px)",
        position=f"{image.focus_x:.2%} {image.focus_y:.2%}",
        places=places,
        place=places[SHARES.index(share)] if places and share in SHARES else "",
        percent=str(round(share * 100)),
    )


def _notes(image: ImageRef) -> list[str]:
    source, notes = image.source, []
    if source is None:
        return []
    if (source.width, source.height) != (image.width, image.height):
        notes.append(words.IMAGE_SCALED.format(size=f"{source.width}×{source.height}"))
    if source.several:
        notes.append(words.IMAGE_FIRST)
    return notes


def asked_size(width: str, height: str) -> Size | None:
    """The size in two typed fields; None while they hold no such thing."""
    if not (width.isascii() and height.isascii() and width.isdigit() and height.isdigit()):
        return None
    size = Size(width=int(width[:6]), height=int(height[:6]))
    return size if size.width and size.height else None


def moved(image: ImageRef, asked: Size | None, share: float) -> ImageRef:
    """The image with its crop at a share of the way along the side that is cut."""
    axis: Axis = free_axis(Size(width=image.width, height=image.height), asked) if asked else ""
    share = min(1.0, max(0.0, share))
    return image.model_copy(update={f"focus_{axis}": share}) if axis else image


def from_draft(value: object) -> ImageRef | None:
    """The image in a draft that a browser kept: anything may be in there."""
    if isinstance(value, list | tuple) and len(value) == 3:
        value = dict(zip(("sha256", "width", "height"), value, strict=True))
    try:
        return ImageRef.model_validate(value)
    except ValidationError:
        return None
