"""``python -m wan22_app.adapters.image_gate JOB``: decode one untrusted image, alone.

A process of its own, so that a bomb or a parser's fault harms nobody. ``JOB`` is a JSON object
with the fields of ``GateJob``. Prints another: what was made, or ``{"refused": CODE, …}``.
Nothing large is imported: most of what is refused is refused in a tenth of a second.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from wan22_app.adapters.image_colours import OddColours, on_background, plain, simple
from wan22_app.adapters.image_rules import HEAD, HUNGRY, MAX_PIXELS, GateJob, refusal_for
from wan22_app.adapters.limits import limit_self

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
ADDRESS_SPACE = 512 * 1024**2
CPU_SECONDS = 20
QUICK = 3
"""Compression of the PNG, which lives on a local disk and is read once or twice."""


class Refused(Exception):
    """Carries the code that the parent turns into words."""


def main(argument: str) -> int:
    """Convert and report; exit code 0 also for a refusal, which is an answer."""
    limit_self(ADDRESS_SPACE, CPU_SECONDS)
    job = GateJob(**json.loads(argument))
    try:
        report = convert(job)
    except Refused as error:
        report = {"refused": str(error)}
    except MemoryError:
        report = {"refused": "too_many_pixels", "detail": "the decoder ran out of memory"}
    except OddColours as error:
        report = {"refused": "odd_colours", "detail": str(error)}
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        report = {"refused": "damaged", "detail": f"{type(error).__name__}: {error}"[:300]}
    sys.stdout.write(json.dumps(report))
    return 0


def convert(job: GateJob) -> dict[str, object]:
    """Write the files; the report has the fields of an image reference."""
    opened = _opened(Path(job.source))
    kind = "JPEG" if opened.format == "MPO" else str(opened.format)
    whole = opened.size
    opened.draft("RGB", _stored(whole, job))  # a large JPEG is decoded small at once
    opened.load()
    small = _scaled(simple(opened), _stored(opened.size, job))
    upright = plain(ImageOps.exif_transpose(small))
    turned = (upright.width > upright.height) != (whole[0] > whole[1])
    source = whole[::-1] if turned else whole
    flat = on_background(upright, job.background)
    _save(flat, job.target)
    transparent = upright.mode == "RGBA"
    if transparent:
        _save(upright, job.original)
    # Only now: to look at the next picture replaces this one.
    several = kind != "JPEG" and _has_more(opened)
    return {
        "sha256": _digest(flat),
        "width": flat.width,
        "height": flat.height,
        "original": _digest(upright) if transparent else "",
        "background": job.background,
        "source": {
            "format": kind, "width": source[0], "height": source[1], "several": several,
        },
    }  # fmt: skip


def _opened(source: Path) -> Image.Image:
    """Judged from the header alone, before a single pixel is decoded."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    # One thread: each of the others would want a stack out of the little memory there is.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError as error:
        with source.open("rb") as file:
            raise Refused(refusal_for(file.read(HEAD))) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("too_many_pixels") from error
    if image.width * image.height > HUNGRY.get(str(image.format), MAX_PIXELS):
        raise Refused("too_many_pixels")
    return image


def _has_more(image: Image.Image) -> bool:
    """Whether a second picture follows; not how many, which could take long to count."""
    try:
        image.seek(1)
    except (EOFError, OSError, SyntaxError, ValueError):
        return False
    return True


def _stored(size: tuple[int, int], job: GateJob) -> tuple[int, int]:
    shorter, longer = sorted(size)
    scale = min(1.0, job.shorter / shorter, job.longer / longer)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _save(image: Image.Image, path: str) -> None:
    image.info.clear()  # nothing of the file's own words goes on
    image.save(path, "PNG", compress_level=QUICK)


def _digest(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
