"""The start image, fitted to what is made."""

from typing import Any

import numpy as np
from PIL import Image

from wan22_app.domain.catalog import Size
from wan22_app.domain.generation import Geometry
from wan22_app.domain.picture import covering_box

CENTRE = (0.5, 0.5)
Picture = np.ndarray[Any, np.dtype[np.uint8]]
"""``[H, W, 3]``."""


class BadImage(Exception):
    """The file is gone or damaged; when it was queued it was neither."""


def fitted(path: str, made: Geometry, focus: tuple[float, float] = CENTRE) -> Image.Image:
    """The image covering the asked size, its edge continued into the cropped margin.

    The margin repeats the outermost pixels, so that the model sees no border which the crop would
    not remove exactly. Raises BadImage.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError) as error:
        raise BadImage(f"{path}: {error}") from error
    asked = Size(width=made.crop_width, height=made.crop_height)
    box = covering_box(Size(width=image.width, height=image.height), asked, *focus)
    # Cut and scaled in one step: scaling a very long image as a whole would fill the memory.
    size = (asked.width, asked.height)
    image = image.resize(size, Image.Resampling.LANCZOS, box=box.edges)
    return Image.fromarray(with_margins(np.asarray(image), made))


def with_margins(picture: Picture, made: Geometry) -> Picture:
    """A picture of the asked size with the margin that will be cropped from what is made."""
    margins = (
        (made.top, made.height - made.crop_height - made.top),
        (made.left, made.width - made.crop_width - made.left),
        (0, 0),
    )
    return np.pad(picture, margins, mode="edge")
