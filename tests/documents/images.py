"""Every format and variant of an image, made by Pillow and put through the gate."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageCms

from tests.documents.tables import table
from wan22_app.adapters.images import MAX_BYTES, GatedImages
from wan22_app.domain.errors import InvalidRequest

SIZE = (48, 32)
Make = Callable[[], bytes]


def saved(mode: str, kind: str, **options: object) -> bytes:
    """A picture of one colour in a mode, as a file."""
    return _file(Image.new(mode, SIZE), kind, **options)


def clear(kind: str, **options: object) -> bytes:
    """Half of it can be seen through."""
    image = Image.new("RGBA", SIZE, "red")
    image.paste((0, 0, 0, 0), (0, 0, SIZE[0] // 2, SIZE[1]))
    return _file(image, kind, **options)


def moving(kind: str) -> bytes:
    """Two pictures in one file."""
    pictures = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    return _file(pictures[0], kind, save_all=True, append_images=pictures[1:])


def turned(kind: str) -> bytes:
    """A camera held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("RGB", kind, exif=exif)


def profiled(kind: str) -> bytes:
    """With the profile of its own colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved("RGB", kind, icc_profile=profile)


def deep_png() -> bytes:
    """16 bits for each of three colours, which Pillow reads and does not write."""
    width, height = SIZE
    row = b"\0" + struct.pack(">3H", 0x8000, 0, 0xFFFF) * width
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def promised(width: int, height: int) -> bytes:
    """A PNG of a few bytes that promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _box(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(16)


TAKEN: list[tuple[str, str, Make]] = [
    ("PNG", "RGB", lambda: saved("RGB", "PNG")),
    ("PNG", "16 bits for each colour", deep_png),
    ("PNG", "grey", lambda: saved("L", "PNG")),
    ("PNG", "grey, 16 bits", lambda: saved("I;16", "PNG")),
    ("PNG", "black and white, 1 bit", lambda: saved("1", "PNG")),
    ("PNG", "palette", lambda: saved("P", "PNG")),
    ("PNG", "palette, one colour transparent", lambda: saved("P", "PNG", transparency=0)),
    ("PNG", "transparent", lambda: clear("PNG")),
    ("PNG", "grey, transparent", lambda: saved("LA", "PNG")),
    ("PNG", "opaque alpha channel", lambda: _file(Image.new("RGBA", SIZE, "red"), "PNG")),
    ("PNG", "colour profile", lambda: profiled("PNG")),
    ("PNG", "animated", lambda: moving("PNG")),
    ("PNG", "2500×2000", lambda: _file(Image.new("RGB", (2500, 2000)), "PNG")),
    ("JPEG", "RGB", lambda: saved("RGB", "JPEG")),
    ("JPEG", "progressive", lambda: saved("RGB", "JPEG", progressive=True)),
    ("JPEG", "grey", lambda: saved("L", "JPEG")),
    ("JPEG", "CMYK", lambda: saved("CMYK", "JPEG")),
    ("JPEG", "turned by EXIF", lambda: turned("JPEG")),
    ("JPEG", "colour profile", lambda: profiled("JPEG")),
    ("JPEG", "8000×6000", lambda: _file(Image.new("RGB", (8000, 6000)), "JPEG")),
    ("WebP", "lossy", lambda: saved("RGB", "WEBP")),
    ("WebP", "lossless", lambda: saved("RGB", "WEBP", lossless=True)),
    ("WebP", "transparent", lambda: clear("WEBP")),
    ("WebP", "turned by EXIF", lambda: turned("WEBP")),
    ("WebP", "animated", lambda: moving("WEBP")),
    ("AVIF", "RGB", lambda: saved("RGB", "AVIF")),
    ("AVIF", "grey", lambda: saved("L", "AVIF")),
    ("AVIF", "transparent", lambda: clear("AVIF")),
    ("AVIF", "turned by EXIF", lambda: turned("AVIF")),
    ("AVIF", "animated", lambda: moving("AVIF")),
    ("GIF", "palette", lambda: saved("P", "GIF")),
    ("GIF", "transparent", lambda: clear("GIF")),
    ("GIF", "animated", lambda: moving("GIF")),
    ("BMP", "RGB", lambda: saved("RGB", "BMP")),
    ("BMP", "palette", lambda: saved("P", "BMP")),
    ("BMP", "black and white, 1 bit", lambda: saved("1", "BMP")),
    ("TIFF", "RGB", lambda: saved("RGB", "TIFF")),
    ("TIFF", "packed by LZW", lambda: saved("RGB", "TIFF", compression="tiff_lzw")),
    ("TIFF", "packed as JPEG", lambda: saved("RGB", "TIFF", compression="jpeg")),
    ("TIFF", "grey, 16 bits", lambda: saved("I;16", "TIFF")),
    ("TIFF", "CMYK", lambda: saved("CMYK", "TIFF")),
    ("TIFF", "transparent", lambda: clear("TIFF")),
    ("TIFF", "turned by its tag", lambda: turned("TIFF")),
    ("TIFF", "several pages", lambda: moving("TIFF")),
]
OTHERS: list[tuple[str, str, Make]] = [
    ("TIFF", "32 bits, floating point", lambda: saved("F", "TIFF")),
    ("TIFF", "32 bits, whole numbers", lambda: saved("I", "TIFF")),
    ("PNG", "cut in the middle", lambda: _file(Image.effect_noise(SIZE, 60), "PNG")[:700]),
    ("JPEG", "cut in the middle", lambda: _file(Image.effect_noise(SIZE, 60), "JPEG")[:700]),
    ("PNG", "100000×100000 promised in 60 bytes", lambda: promised(100_000, 100_000)),
    ("WebP", "5100×5000", lambda: _file(Image.new("RGB", (5100, 5000)), "WEBP", method=0)),
    ("any", "more than 30 MB", lambda: bytes(MAX_BYTES + 1)),
    ("any", "empty file", lambda: b""),
    ("HEIC", "photo of a telephone", lambda: _box(b"heic")),
    ("SVG", "drawing", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ("PDF", "document", lambda: b"%PDF-1.7\n"),
    ("MP4", "video", lambda: _box(b"isom")),
    ("WebM", "video", lambda: b"\x1a\x45\xdf\xa3" + bytes(40)),
    ("JPEG XL", "image", lambda: b"\xff\x0a" + bytes(40)),
    ("JPEG 2000", "image", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)),
    ("Photoshop", "layers", lambda: b"8BPS\0\1" + bytes(40)),
    ("text", "named .png", lambda: b"This is no picture."),
    ("anything else", "bytes without meaning", lambda: bytes(range(256))),
]


def image_tables(folder: Path) -> str:
    """What becomes of each; the colours themselves are checked by the gate's own tests."""
    images = GatedImages(folder)
    taken = ([kind, variant, _taken(images, make())] for kind, variant, make in TAKEN)
    others = ([kind, variant, _refused(images, make())] for kind, variant, make in OTHERS)
    return (
        table(("format", "variant", "result"), taken)
        + "\nEverything else is refused, with the reason:\n\n"
        + table(("format", "variant", "what is said"), others)
    )


def _taken(images: GatedImages, data: bytes) -> str:
    try:
        image = images.accept(data)
    except InvalidRequest as error:
        return f"refused: {error.problem.sentence()}"
    with Image.open(images.path(image)) as kept:
        assert (kept.mode, kept.size) == ("RGB", (image.width, image.height))
    source = image.source
    assert source is not None
    parts = ["accepted" if source.format in ("PNG", "JPEG", "WEBP") else "converted"]
    if (source.width, source.height) != (image.width, image.height):
        parts.append(f"scaled to {image.width}×{image.height}")
    if (source.width, source.height) == (SIZE[1], SIZE[0]):
        parts.append("turned upright")
    if source.several:
        parts.append("the first picture")
    if image.original:
        white = images.on_background(image, "white")
        assert white.sha256 != image.sha256
        parts.append("on black or white")
    return ", ".join(parts)


def _refused(images: GatedImages, data: bytes) -> str:
    result = _taken(images, data)
    return result.removeprefix("refused: ")
