"""H.264 in an mp4 that starts at once and carries its recipe, and a poster."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from wan22_app.domain.output import RECIPE_KEY, Recipe
from wan22_app.engine.decode import Frame

BT709 = 1
LIMITED_RANGE = 1
CRF = "18"
PRESET = "veryfast"
THREADS = "4"
"""Fixed: x264's bytes depend on the number of threads, and equal jobs make equal files."""
X264 = "mbtree=0:rc-lookahead=0"
"""No lookahead: its vector code decides differently from run to run on some sizes (seen with
x264 in PyAV 18.1: 90x50, 33 of 500 files differed; without lookahead none did)."""
POSTER_SIDE = 640
POSTER_QUALITY = 82


def write_video(
    path: Path, frames: Iterable[Frame], fps: int, recipe: Recipe, on_frame: Callable[[], None]
) -> int:
    """Encode all frames; returns how many. Width and height must be even."""
    options = {"movflags": "+faststart+use_metadata_tags"}
    count = 0
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata.update(_metadata(recipe))
        stream: Any = None
        for count, frame in enumerate(frames, 1):  # noqa: B007
            stream = stream or _stream(container, frame, fps)
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            container.mux(stream.encode(picture))
            on_frame()
        if stream is None:
            raise ValueError("there are no frames to encode")
        container.mux(stream.encode())
    return count


def _stream(container: Any, frame: Frame, fps: int) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(fps))
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {
        "crf": CRF,
        "preset": PRESET,
        "threads": THREADS,
        "profile": "high",
        "x264-params": X264,
    }
    context = stream.codec_context
    context.color_range = LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = BT709
    return stream


def _metadata(recipe: Recipe) -> dict[str, str]:
    request = recipe.request
    demo = " (a toy that understands shapes, not Wan2.2)" if recipe.demo else ""
    return {
        "title": request.prompt[:200],
        "comment": f"{request.model}{demo}, seed {request.seed}",
        RECIPE_KEY: recipe.model_dump_json(),
    }


def with_poster(frames: Iterable[Frame], path: Path) -> Iterator[Frame]:
    """Pass the frames on; the first one is also stored as a WebP."""
    for index, frame in enumerate(frames):
        if index == 0:
            image = Image.fromarray(frame)
            image.thumbnail((POSTER_SIDE, POSTER_SIDE))
            image.save(path, "WEBP", quality=POSTER_QUALITY)
        yield frame
