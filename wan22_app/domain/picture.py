"""Start images: where one comes from, and which part of it the model sees."""

import math
from typing import Annotated, Literal

from pydantic import Field

from wan22_app.domain.catalog import CATALOG, Size
from wan22_app.domain.values import Value

Background = Literal["black", "white"]
BACKGROUNDS: tuple[Background, ...] = ("black", "white")
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Axis = Literal["x", "y", ""]

LARGEST_SIDE = max(spec.max_side for spec in CATALOG.values())
"""No model draws a longer side: an image whose shorter side is this long serves every crop."""
LONGEST_STORED = 4 * LARGEST_SIDE
"""Even the longest panorama is not kept larger."""
LONGEST_SIDE = 100_000_000
"""No file that passes the gate has a longer side; what claims one was written by hand."""


class ImageSource(Value):
    """The file that an image was made from: its upright size, and whether it had more pictures."""

    format: str = Field(max_length=16)
    width: int = Field(gt=0, le=LONGEST_SIDE)
    height: int = Field(gt=0, le=LONGEST_SIDE)
    several: bool = False


class Box(Value):
    """A rectangle in pixels of the image; its edges may lie between pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """In the order that Pillow wants."""
        return self.left, self.top, self.right, self.bottom


def covering_box(source: Size, asked: Size, focus_x: float = 0.5, focus_y: float = 0.5) -> Box:
    """The largest part of an image that has exactly the asked shape.

    The focus says where it lies: 0 is left or top, 1 is right or bottom. This is what browsers do
    for ``object-fit: cover`` with that ``object-position``, but begins on a whole pixel, so that
    an image which already fits is cut and not drawn anew.
    """
    scale = min(source.width / asked.width, source.height / asked.height)
    width = min(asked.width * scale, float(source.width))
    height = min(asked.height * scale, float(source.height))
    left = math.floor((source.width - width) * focus_x)
    top = math.floor((source.height - height) * focus_y)
    return Box(
        left=left,
        top=top,
        right=min(left + width, source.width),
        bottom=min(top + height, source.height),
    )


def free_axis(source: Size, asked: Size) -> Axis:
    """Along which axis the crop can be moved by a pixel or more, empty when all is seen."""
    box = covering_box(source, asked, 0.0, 0.0)
    if source.width - box.right >= 1:
        return "x"
    return "y" if source.height - box.bottom >= 1 else ""
