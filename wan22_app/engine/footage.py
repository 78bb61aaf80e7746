"""A video that a new one goes on from: its last pictures, and its packets for the new file."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer

from wan22_app.engine.picture import Picture

PARAMETER_SETS = (7, 8)
"""Kinds of units: of a sequence, of a picture."""


class BadVideo(Exception):
    """The file is gone or damaged; when it was queued it was neither."""


@dataclass(frozen=True)
class Footage:
    """What comes before the new pictures. ``parameters`` is what its pictures are decoded with."""

    path: Path
    frames: int
    parameters: frozenset[bytes]

    def packets(self) -> Iterator[av.Packet]:
        """Its pictures as an encoder gives them (Annex B), in the order of decoding.

        Raises BadVideo.
        """
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            encoded = BitStreamFilterContext("h264_mp4toannexb", stream)
            for packet in container.demux(stream):
                if packet.size:
                    yield from encoded.filter(packet)

    def pictures(self) -> Iterator[Picture]:
        """Its pictures as they are shown. Raises BadVideo."""
        with _opened(self.path) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def footage(path: Path) -> Footage:
    """Look into a file. Raises BadVideo."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        return Footage(path, stream.frames, parameters(stream.codec_context.extradata))


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """The file while it is read; whatever is wrong with it is a BadVideo."""
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, OSError, IndexError) as error:
        raise BadVideo(f"{path}: {error}") from error


def parameters(extradata: bytes | None) -> frozenset[bytes]:
    """H.264's parameter sets, as an encoder says them (Annex B) or an mp4 keeps them (avcC,
    ISO/IEC 14496-15, 5.3.3)."""
    data = bytes(extradata or b"")
    if data[:1] != b"\x01":
        units = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
        return frozenset(unit for unit in units if unit and unit[0] & 31 in PARAMETER_SETS)
    found, at = set[bytes](), 5
    for mask in (31, 255):
        count, at = data[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2])
            found.add(data[at + 2 : at + 2 + size])
            at += 2 + size
    return frozenset(found)


def last_frames(path: Path, count: int) -> Sequence[Picture]:
    """The pictures at its end. Raises BadVideo when it has fewer."""
    found = deque(footage(path).pictures(), maxlen=count)
    if len(found) < count:
        raise BadVideo(f"{path}: {len(found)} frames, {count} are needed")
    return list(found)
