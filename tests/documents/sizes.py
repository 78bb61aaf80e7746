"""Which sizes each model makes: its official ones, and what happens at and beyond the limits."""

from collections.abc import Iterator

from tests.documents.tables import table
from wan22_app.domain.catalog import CATALOG, ImageUse, ModelSpec, Size
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import GenerationRequest, ImageRef, geometry

HEADS = ("asked", "model makes", "result")
IMAGE = ImageRef(sha256="0" * 64, width=640, height=480)


def size_tables() -> str:
    """Two tables for each entry of the catalogue: sizes and lengths."""
    return "".join(
        f"### {spec.name}\n\n{table(HEADS, _sizes(spec))}\n{table(HEADS, _lengths(spec))}\n"
        for spec in CATALOG.values()
    )


def _sizes(spec: ModelSpec) -> Iterator[list[str]]:
    for size in dict.fromkeys([*spec.sizes, *_odd_cases(spec)]):
        yield [str(size), *_outcome(spec, width=size.width, height=size.height)]


def _odd_cases(spec: ModelSpec) -> list[Size]:
    low, high, middle = spec.min_side, spec.max_side, spec.size.height
    pairs = [
        (low, low), (low - 2, low), (low + 1, low), (low + 2, low + 6), (high, low),
        (low, high), (high + 2, low), (high, high), (middle + 2, middle - 2),
    ]  # fmt: skip
    return [Size(width=width, height=height) for width, height in pairs]


def _lengths(spec: ModelSpec) -> Iterator[list[str]]:
    most = spec.max_frames
    for frames in (1, 2, 4, 5, spec.frames - 1, spec.frames, spec.frames + 1, most, most + 1):
        unit = "frame" if frames == 1 else "frames"
        yield [f"{frames} {unit}", *_outcome(spec, frames=frames)]


def _outcome(spec: ModelSpec, **fields: int) -> list[str]:
    image = IMAGE if spec.image is ImageUse.REQUIRED else None
    try:
        values = {"prompt": "x", "image": image, **fields}
        request = GenerationRequest.build(spec, values, 1)
    except InvalidRequest as error:
        return ["–", "refused: " + " ".join(p.sentence() for p in error.problems)]
    made = geometry(spec, request)
    if "frames" in fields:
        cut = made.frames - made.keep_frames
        return [str(made.frames), f"{cut} dropped at the end" if cut else "all kept"]
    if (made.width, made.height) == (made.crop_width, made.crop_height):
        return [f"{made.width}×{made.height}", "all kept"]
    right = made.width - made.crop_width - made.left
    bottom = made.height - made.crop_height - made.top
    edges = (("left", made.left), ("right", right), ("top", made.top), ("bottom", bottom))
    cuts = ", ".join(f"{name} {pixels}" for name, pixels in edges if pixels)
    return [f"{made.width}×{made.height}", f"cut: {cuts}"]
