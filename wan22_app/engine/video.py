"""H.264 in an mp4 that starts at once and carries its recipe, and a poster."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from wan22_app.domain.output import RECIPE_KEY, Recipe
from wan22_app.engine.decode import Frame
from wan22_app.engine.footage import Footage, parameters

BT709 = 1
LIMITED_RANGE = 1
CRF = "18"
PRESET = "veryfast"
THREADS = "4"
"""Fixed: x264's bytes depend on the number of threads, and equal jobs make equal files."""
X264 = "mbtree=0:rc-lookahead=0"
"""No lookahead: its vector code decides differently from run to run on some sizes (seen with
x264 in PyAV 18.1: 90x50, 33 of 500 files differed; without lookahead none did)."""
WAITING = 8
"""Frames that may wait for the encoder; 24 MB at 720p, 48 at 1080p."""
POSTER_SIDE = 640
POSTER_QUALITY = 82


@dataclass(frozen=True)
class Film:
    """What is written besides the frames. ``video`` and ``poster`` are files.

    ``before`` is the video that comes first, of the same size and rate.
    """

    video: Path
    poster: Path
    fps: int
    recipe: Recipe
    before: Footage | None = None

    @property
    def frames_before(self) -> int:
        """Pictures of the video that comes first."""
        return self.before.frames if self.before else 0


class Abandoned(Exception):
    """Raised in the writing thread, and nowhere else, when no more frames will come."""


class Writing:
    """Encodes on a thread of its own what is put, while the next frames are decoded.

    The thread ends with the block. What it raised is raised by the next ``put`` or ``is_done``. A
    frame is ``[H, W, 3]`` with even sides.
    """

    def __init__(self, film: Film):
        self.written = 0
        """Frames encoded so far."""
        self._film = film
        self._frames: queue.Queue[Frame | Exception | None] = queue.Queue(WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def __enter__(self) -> "Writing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hand_over(Abandoned())
        self._thread.join()

    def put(self, frame: Frame) -> None:
        """Hand over the next frame; waits while the encoder is behind."""
        self._hand_over(frame)
        self._complain()

    def close(self) -> None:
        """No more frames come: finish the file."""
        self._hand_over(None)

    def is_done(self, patience_s: float) -> bool:
        """Whether the file is finished after waiting for at most so long."""
        self._thread.join(patience_s)
        self._complain()
        return not self._thread.is_alive()

    def _complain(self) -> None:
        if self._error is not None:
            raise self._error

    def _hand_over(self, item: Frame | Exception | None) -> None:
        # A thread that has died of an error would leave the queue full for ever.
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._frames.put(item, timeout=0.1)
                break

    def _arriving(self) -> Iterator[Frame]:
        while (item := self._frames.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def _run(self) -> None:
        try:
            for _ in write_video(self._film, self._arriving()):
                self.written += 1
        except Abandoned:
            pass
        except BaseException as error:
            self._error = error


def write_video(film: Film, frames: Iterable[Frame]) -> Iterator[None]:
    """Encode all frames, and the first one as the poster; yields after each.

    What comes before is copied packet by packet and loses nothing; only where another encoder has
    made it are its pictures encoded anew.
    """
    options = {"movflags": "+faststart+use_metadata_tags"}
    with av.open(str(film.video), "w", format="mp4", options=options) as container:
        container.metadata.update(_metadata(film.recipe))
        stream: Any = None
        written = 0
        for frame in frames:
            if stream is None:
                stream = _stream(container, frame, film.fps)
                written = _write_before(film, container, stream)
                _write_poster(frame if film.before is None else _first(film.before), film.poster)
            container.mux(_placed(stream.encode(_encodable(frame)), written))
            yield
        if stream is None:
            raise ValueError("there are no frames to encode")
        container.mux(_placed(stream.encode(), written))


def _write_before(film: Film, container: Any, stream: Any) -> int:
    """Write what comes first; returns by how many pictures later the encoder's own begin."""
    if film.before is None:
        return 0
    stream.codec_context.open()
    container.start_encoding()
    if parameters(stream.codec_context.extradata) != film.before.parameters:
        for picture in film.before.pictures():
            container.mux(stream.encode(_encodable(picture)))
        return 0
    for packet in film.before.packets():
        packet.stream = stream
        container.mux(packet)
    return film.before.frames


def _first(before: Footage) -> Frame:
    return next(iter(before.pictures()))


def _placed(packets: Iterable[av.Packet], later: int) -> list[av.Packet]:
    """The encoder's packets behind what was copied: its clock counts its own pictures alone."""
    found = list(packets)
    for packet in found if later else ():
        if packet.pts is not None and packet.dts is not None:
            packet.pts, packet.dts = packet.pts + later, packet.dts + later
    return found


def _encodable(frame: Frame) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
    return picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


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


def _write_poster(frame: Frame, path: Path) -> None:
    image = Image.fromarray(frame)
    image.thumbnail((POSTER_SIDE, POSTER_SIDE))
    image.save(path, "WEBP", quality=POSTER_QUALITY)
