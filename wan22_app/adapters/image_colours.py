"""Any picture's colours as plain sRGB with or without transparency. Runs inside the gate only."""

import io
from typing import Any

from PIL import Image, ImageCms

ALPHA = ("RGBA", "LA")
SIMPLE = ("RGB", "RGBA", "L", "LA", "CMYK")
CONVERTED = {"1": "L", "RGBX": "RGB", "YCbCr": "RGB", "RGBa": "RGBA", "La": "LA"}
SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""Which kind of profile fits which mode; any other pair is a mistake of the file's writer."""
OPAQUE = 255


class OddColours(Exception):
    """A colour mode with no agreed meaning, such as 32 bits of anything."""


def plain(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where something can be seen through; eight bits, sRGB."""
    profile = image.info.get("icc_profile")
    image = _to_srgb(image, profile if isinstance(profile, bytes) else None)
    if image.mode not in ALPHA:
        return _as(image, "RGB")
    rgba = _as(image, "RGBA")
    least, _ = rgba.getchannel("A").getextrema()
    return rgba.convert("RGB") if least == OPAQUE else rgba


def on_background(image: Image.Image, background: str) -> Image.Image:
    """Without its transparency."""
    if image.mode == "RGB":
        return image
    ground = Image.new("RGBA", image.size, background)
    return Image.alpha_composite(ground, image).convert("RGB")


def simple(image: Image.Image) -> Image.Image:
    """One of the modes that can be scaled and carry a profile."""
    see_through = "transparency" in image.info
    if image.mode.startswith("I;16"):
        return _eight_bits(image)
    if image.mode in ("P", "PA") or see_through:
        return _as(image, "RGBA" if see_through or image.mode == "PA" else "RGB")
    wanted = CONVERTED.get(image.mode, image.mode)
    if wanted not in SIMPLE:
        raise OddColours(image.mode)
    return _as(image, wanted)


def _as(image: Image.Image, mode: str) -> Image.Image:
    """Converted, but not copied where nothing changes: memory is short here."""
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper half of each value; Pillow's own conversion makes everything above 255 white."""
    return image.convert("I").point([value >> 8 for value in range(65536)], "L")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the profile means them. A profile that does not fit or is broken is ignored."""
    if profile is None:
        return image
    if image.mode == "LA":
        grey, alpha = image.split()
        coloured = _to_srgb(grey, profile).convert("RGB")
        coloured.putalpha(alpha)
        return coloured
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        about: Any = source.profile
        fits = about.xcolor_space.strip() == SPACES.get(image.mode)
        if not fits or "sRGB" in (about.profile_description or ""):
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        made = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return made if made is not None else image
