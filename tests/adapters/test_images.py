"""The gate for start images, with real files and a real process."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from wan22_app.adapters.image_gate import ADDRESS_SPACE
from wan22_app.adapters.images import GatedImages
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import ImageRef

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
RED = (255, 0, 0)


@pytest.fixture
def images(tmp_path: Path) -> GatedImages:
    return GatedImages(tmp_path)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def stored(images: GatedImages, ref: ImageRef) -> Image.Image:
    """The picture behind a reference; checks on the way that it is plain."""
    with Image.open(images.path(ref)) as opened:
        opened.load()
    assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", (ref.width, ref.height))
    assert opened.info == {}, "nothing of the file's own words goes on"
    return opened


def refused(images: GatedImages, data: bytes) -> str:
    with pytest.raises(InvalidRequest) as refusal:
        images.accept(data)
    problem = refusal.value.problem
    assert problem.field == "image"
    assert problem.cure
    return problem.code


def near(pixel: object, wanted: tuple[int, int, int], by: int = 6) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= by for a, b in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_plain_png(images: GatedImages, tmp_path: Path, kind: str) -> None:
    ref = images.accept(encoded(Image.new("RGB", (40, 20), "red"), kind))
    assert near(stored(images, ref).getpixel((5, 5)), RED)
    assert ref.source is not None
    assert (ref.source.format, ref.source.width, ref.source.height) == (kind, 40, 20)
    assert not ref.source.several
    assert not ref.original
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"], "nothing else is left"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_turned_photo_stands_upright(images: GatedImages, kind: str, orientation: int) -> None:
    """The file holds what a camera in that position saw of a picture with one red corner."""
    upright = Image.new("RGB", (48, 32), "navy")
    upright.paste("red", (0, 0, 16, 16))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    seen = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    ref = images.accept(encoded(seen, kind, exif=exif))
    assert ref.source is not None
    assert (ref.source.width, ref.source.height) == (48, 32)
    picture = stored(images, ref)
    assert picture.size == (48, 32)
    assert near(picture.getpixel((4, 4)), RED, 30)
    assert near(picture.getpixel((44, 28)), (0, 0, 128), 30)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_every_mode_is_converted(images: GatedImages, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    stored(images, images.accept(encoded(Image.new(mode, (8, 8)), kind)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_keep_their_shades(images: GatedImages, kind: str) -> None:
    ref = images.accept(encoded(Image.new("I;16", (8, 8), 0x8000), kind))
    assert stored(images, ref).getpixel((4, 4)) == (128, 128, 128)


def test_cmyk_of_print_looks_as_printed(images: GatedImages) -> None:
    for kind in ("JPEG", "TIFF"):
        ref = images.accept(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), kind))
        assert near(stored(images, ref).getpixel((8, 8)), RED, 12)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_profile_is_applied_and_a_broken_one_ignored(
    images: GatedImages, mode: str
) -> None:
    """In a space of another white and no gamma the same numbers mean another colour."""
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    grey = Image.new(mode, (8, 8), (64, 64, 64, 128)[: len(mode)])
    plain = stored(images, images.accept(encoded(grey, "PNG"))).getpixel((4, 4))
    for useless in (xyz, b"no profile at all"):
        ref = images.accept(encoded(grey, "PNG", icc_profile=useless))
        assert stored(images, ref).getpixel((4, 4)) == plain
    linear = images.accept(encoded(grey, "PNG", icc_profile=linear_profile()))
    brighter = stored(images, linear).getpixel((4, 4))
    assert isinstance(brighter, tuple)
    assert isinstance(plain, tuple)
    assert brighter[0] > plain[0] + 20


def linear_profile() -> bytes:
    """sRGB's own profile with its three curves replaced by straight lines."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            straight = b"curv" + bytes(8)
            data[offset : offset + size] = straight.ljust(size, b"\0")
        elif name == b"desc":
            data[offset : offset + size] = data[offset : offset + size].replace(
                "sRGB".encode("utf-16-be"), "line".encode("utf-16-be")
            )
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_transparency_lies_on_black_or_white_as_chosen(images: GatedImages, kind: str) -> None:
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    picture.paste((255, 0, 0, 0), (0, 0, 4, 8))
    data = encoded(picture, kind, **({"quality": 100} if kind == "AVIF" else {}))
    black, white = images.accept(data), images.accept(data, "white")
    assert (black.background, white.background) == ("black", "white")
    assert black.original == white.original != ""
    assert black.sha256 != white.sha256
    assert near(stored(images, black).getpixel((1, 4)), (0, 0, 0))
    assert near(stored(images, white).getpixel((1, 4)), (255, 255, 255))
    assert near(stored(images, white).getpixel((7, 4)), RED)


def test_the_background_changes_without_a_new_upload(images: GatedImages) -> None:
    clear = Image.new("RGBA", (3000, 2400), (255, 255, 255, 100))
    black = images.accept(encoded(clear, "PNG")).model_copy(update={"focus_x": 0.25})
    white = images.on_background(black, "white")
    assert (white.focus_x, white.source, white.original) == (0.25, black.source, black.original)
    assert stored(images, white).getpixel((0, 0)) == (255, 255, 255)
    assert images.on_background(white, "black") == black
    assert images.on_background(white, "white") is white
    opaque = images.accept(encoded(Image.new("RGBA", (8, 8), "red"), "PNG"))
    assert not opaque.original
    assert images.on_background(opaque, "white") is opaque


def test_a_lost_original_is_said_when_it_is_wanted(images: GatedImages, tmp_path: Path) -> None:
    ref = images.accept(encoded(Image.new("RGBA", (8, 8)), "PNG"))
    (tmp_path / f"{ref.original}.original.png").unlink()
    with pytest.raises(InvalidRequest) as refusal:
        images.on_background(ref, "white")
    assert refusal.value.problem.code == "image_gone"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_pictures_the_first_is_taken_and_that_is_known(
    images: GatedImages, kind: str
) -> None:
    first, rest = Image.new("RGB", (32, 32), "red"), [Image.new("RGB", (32, 32), "blue")] * 2
    ref = images.accept(encoded(first, kind, save_all=True, append_images=rest))
    assert near(stored(images, ref).getpixel((16, 16)), RED)
    assert ref.source is not None
    assert ref.source.several


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((4000, 3000), (2560, 1920)),
        ((3000, 4000), (1920, 2560)),
        ((1920, 1920), (1920, 1920)),
        ((16000, 1000), (7680, 480)),
        ((8000, 6000), (2560, 1920)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_no_model_can_use_is_scaled_away(
    images: GatedImages, size: tuple[int, int], kept: tuple[int, int], kind: str
) -> None:
    ref = images.accept(encoded(Image.new("RGB", size, "red"), kind))
    assert (ref.width, ref.height) == kept
    assert ref.source is not None
    assert (ref.source.width, ref.source.height) == size
    assert near(stored(images, ref).getpixel((5, 5)), RED)


def test_equal_pictures_have_one_name(images: GatedImages) -> None:
    picture = Image.new("RGB", (8, 8), "red")
    names = {images.accept(encoded(picture, kind)).sha256 for kind in ("PNG", "BMP", "TIFF")}
    assert len(names) == 1


def box(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(16)


NOISE = Image.effect_noise((64, 64), 50)
FOREIGN = [
    (b"", "empty"),
    (b"hello", "text"),
    ("Ein Text, der länger ist. ".encode() * 200, "text"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
    (b"<?xml version='1.0'?>\n<!-- a drawing -->\n<svg></svg>", "svg"),
    (b"%PDF-1.7\n" + bytes(50), "pdf"),
    (box(b"heic"), "heic"),
    (box(b"mif1"), "heic"),
    (box(b"isom"), "video"),
    (b"\x1a\x45\xdf\xa3" + bytes(64), "video"),
    (b"RIFF\0\0\0\0AVI LIST" + bytes(64), "video"),
    (b"8BPS\0\1" + bytes(64), "psd"),
    (b"\xff\x0a" + bytes(64), "jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "jp2"),
    (bytes(range(256)) * 4, "not_an_image"),
    (encoded(Image.new("F", (8, 8)), "TIFF"), "odd_colours"),
    (encoded(Image.new("I", (8, 8)), "TIFF"), "odd_colours"),
    (png_header(100_000, 100_000), "too_many_pixels"),
    (png_header(8_000, 7_000), "too_many_pixels"),
    (png_header(100, 100), "damaged"),
    (b"\0" * 30_000_001, "too_big"),
]


@pytest.mark.parametrize(("data", "code"), FOREIGN)
def test_everything_else_is_refused_in_words(
    images: GatedImages, tmp_path: Path, data: bytes, code: str
) -> None:
    assert refused(images, data) == f"image_{code}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("part", [0.5, 0.02])
def test_a_cut_file_is_damaged_whatever_is_left_of_it(
    images: GatedImages, tmp_path: Path, kind: str, part: float
) -> None:
    whole = encoded(NOISE.convert("RGB"), kind)
    assert refused(images, whole[: max(16, int(len(whole) * part))]) == "image_damaged"
    assert list(tmp_path.iterdir()) == []


def test_what_would_take_too_much_memory_is_refused_from_its_header(images: GatedImages) -> None:
    """Not only when the memory is used up: then there would be evidence."""
    with pytest.raises(InvalidRequest) as refusal:
        images.accept(encoded(Image.new("RGB", (5100, 5000)), "WEBP", method=0))
    assert refusal.value.problem.code == "image_too_many_pixels"
    assert refusal.value.problem.evidence == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit on memory")
def test_the_gate_gets_little_memory() -> None:
    """What the process may have is the kernel's own word."""
    code = (
        "import resource; from wan22_app.adapters import image_gate as g;"
        "g.limit_self(g.ADDRESS_SPACE, g.CPU_SECONDS);"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0]); bytearray(g.ADDRESS_SPACE)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ADDRESS_SPACE) == str(512 * 1024**2)
    assert "MemoryError" in done.stderr


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    images = GatedImages(tmp_path / "nowhere")
    assert refused(images, encoded(Image.new("RGB", (8, 8)), "PNG")) == "image_unstored"


def test_an_image_that_is_gone_is_said(images: GatedImages) -> None:
    ref = images.accept(encoded(Image.new("RGB", (8, 8)), "PNG"))
    images.path(ref).unlink()
    with pytest.raises(InvalidRequest) as refusal:
        images.path(ref)
    assert refusal.value.problem.code == "image_gone"


def test_what_a_killed_process_was_bringing_is_removed_later(
    images: GatedImages, tmp_path: Path
) -> None:
    kept = tmp_path / images.path(images.accept(encoded(Image.new("RGB", (8, 8)), "PNG"))).name
    old, new = tmp_path / "incoming-1.bin", tmp_path / "incoming-2.part"
    for path in (old, new):
        path.write_bytes(b"cut short")
    for path in (old, kept):
        os.utime(path, (0, 0))
    images.accept(encoded(Image.new("RGB", (9, 9)), "PNG"))
    assert (old.exists(), new.exists(), kept.exists()) == (False, True, True)
