"""The gate for start images, with real files and a real process."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from wan22_app.adapters.images import GatedImages
from wan22_app.domain.errors import InvalidRequest


@pytest.fixture
def images(tmp_path: Path) -> GatedImages:
    return GatedImages(tmp_path)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG header that promises 100,000 x 100,000 pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_become_plain_png(images: GatedImages, tmp_path: Path, kind: str) -> None:
    ref = images.accept(encoded(Image.new("RGB", (40, 20), "red"), kind))
    assert (ref.width, ref.height) == (40, 20)
    with Image.open(images.path(ref)) as stored:
        assert (stored.format, stored.mode, stored.size) == ("PNG", "RGB", (40, 20))
        assert stored.getpixel((5, 5))[0] > 240  # type: ignore[index]
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"], "nothing else is left"


def test_a_turned_photo_stands_upright_and_loses_its_metadata(images: GatedImages) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    ref = images.accept(encoded(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif))
    assert (ref.width, ref.height) == (20, 40)
    with Image.open(images.path(ref)) as stored:
        assert not stored.getexif()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_every_mode_is_converted(images: GatedImages, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    ref = images.accept(encoded(Image.new(mode, (8, 8)), kind))
    with Image.open(images.path(ref)) as stored:
        assert stored.mode == "RGB"


def test_transparency_lies_on_black(images: GatedImages) -> None:
    ref = images.accept(encoded(Image.new("RGBA", (8, 8), (255, 255, 255, 0)), "PNG"))
    with Image.open(images.path(ref)) as stored:
        assert stored.getpixel((0, 0)) == (0, 0, 0)


def test_equal_pictures_have_one_name(images: GatedImages) -> None:
    picture = Image.new("RGB", (8, 8), "red")
    assert images.accept(encoded(picture, "PNG")) == images.accept(
        encoded(picture, "BMP" and "PNG")
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image_empty"),
        (b"hello", "image_not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image_not_an_image"),
        (encoded(Image.new("RGB", (8, 8)), "GIF"), "image_not_an_image"),
        (encoded(Image.effect_noise((64, 64), 50), "PNG")[:900], "image_damaged"),
        (bomb(), "image_too_many_pixels"),
        (b"\0" * 30_000_001, "image_too_big"),
    ],
)
def test_everything_else_is_refused_in_words(
    images: GatedImages, tmp_path: Path, data: bytes, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        images.accept(data)
    problem = refusal.value.problem
    assert (problem.code, problem.field) == (code, "image")
    assert problem.cure
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_is_gone_is_said(images: GatedImages) -> None:
    ref = images.accept(encoded(Image.new("RGB", (8, 8)), "PNG"))
    images.path(ref).unlink()
    with pytest.raises(InvalidRequest) as refusal:
        images.path(ref)
    assert refusal.value.problem.code == "image_gone"
