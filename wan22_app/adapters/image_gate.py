"""``python -m wan22_app.adapters.image_gate IN OUT``: decode one untrusted image, alone.

A process of its own, so that a bomb or a parser's fault harms nobody. Prints one JSON object:
``{"width": …, "height": …, "sha256": …}`` or ``{"refused": CODE, "detail": …}``.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 50_000_000
ADDRESS_SPACE = 2 * 1024**3
CPU_SECONDS = 20


class Refused(Exception):
    """Carries the code that the parent turns into words."""


def main(source: str, target: str) -> int:
    """Convert and report; exit code 0 also for a refusal, which is an answer."""
    _limit()
    try:
        report = convert(Path(source), Path(target))
    except Refused as error:
        report = {"refused": str(error)}
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        report = {"refused": "damaged", "detail": f"{type(error).__name__}: {error}"[:300]}
    sys.stdout.write(json.dumps(report))
    return 0


def convert(source: Path, target: Path) -> dict[str, object]:
    """Write a plain RGB PNG: turned after EXIF, on black, without metadata."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Refused("not_an_image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("too_many_pixels") from error
    # From the header alone, before a single pixel is decoded.
    if image.width * image.height > MAX_PIXELS:
        raise Refused("too_many_pixels")
    image.load()
    upright = ImageOps.exif_transpose(image)
    plain = _on_black(upright)
    plain.save(target, "PNG")
    digest = hashlib.sha256(f"{plain.size}".encode() + plain.tobytes()).hexdigest()
    return {"width": plain.width, "height": plain.height, "sha256": digest}


def _on_black(image: Image.Image) -> Image.Image:
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, "black")
        return Image.alpha_composite(black, rgba).convert("RGB")
    plain = Image.new("RGB", image.size)
    plain.paste(image.convert("RGB"))
    return plain


def _limit() -> None:
    """A ceiling on memory and time that the kernel keeps; Windows has the parent's watch only."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
