"""The start image, fitted to what is made."""

import numpy as np
from PIL import Image

from wan22_app.domain.generation import Geometry


def fitted(path: str, made: Geometry) -> Image.Image:
    """The image covering the asked size, its edge continued into the cropped margin.

    Scaled to cover, cut around the centre; the margin repeats the outermost pixels, so that the
    model sees no border which the crop would not remove exactly.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = max(made.crop_width / image.width, made.crop_height / image.height)
    size = (
        max(made.crop_width, round(image.width * scale)),
        max(made.crop_height, round(image.height * scale)),
    )
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (size[0] - made.crop_width) // 2, (size[1] - made.crop_height) // 2
    image = image.crop((left, top, left + made.crop_width, top + made.crop_height))
    margins = (
        (made.top, made.height - made.crop_height - made.top),
        (made.left, made.width - made.crop_width - made.left),
        (0, 0),
    )
    return Image.fromarray(np.pad(np.asarray(image), margins, mode="edge"))
