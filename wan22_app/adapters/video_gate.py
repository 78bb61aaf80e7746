"""``python -m wan22_app.adapters.video_gate IN``: read the recipe of one untrusted mp4, alone.

A process of its own, so that a parser's fault harms nobody. Only the headers are read, no picture
is decoded. Prints one JSON object: ``{"recipe": TEXT}`` or ``{"refused": CODE, "detail": …}``.
"""

import json
import sys
from pathlib import Path
from typing import BinaryIO

import av

from wan22_app.adapters.limits import limit_self
from wan22_app.domain.output import RECIPE_KEY

ADDRESS_SPACE = 2 * 1024**3
CPU_SECONDS = 10
LONGEST_RECIPE = 200_000
BRAND = b"ftyp"
MOST_BOXES = 1000


def main(source: str) -> int:
    """Read and report; exit code 0 also for a refusal, which is an answer."""
    limit_self(ADDRESS_SPACE, CPU_SECONDS)
    sys.stdout.write(json.dumps(report(Path(source))))
    return 0


def report(source: Path) -> dict[str, str]:
    """The recipe's text, still to be judged, or why there is none."""
    with source.open("rb") as file:
        if file.read(8)[4:] != BRAND:
            return {"refused": "not_an_mp4"}
        if not is_whole(file, source.stat().st_size):
            return {"refused": "damaged", "detail": "a box is longer than the file"}
    try:
        with av.open(str(source), format="mp4") as container:
            if not container.streams.video:
                return {"refused": "damaged", "detail": "no video stream"}
            text = dict(container.metadata).get(RECIPE_KEY)
    except (av.FFmpegError, OSError, ValueError) as error:
        return {"refused": "damaged", "detail": f"{type(error).__name__}: {error}"[:300]}
    if text is None:
        return {"refused": "no_recipe"}
    return {"recipe": text} if len(text) <= LONGEST_RECIPE else {"refused": "foreign"}


def is_whole(file: BinaryIO, size: int) -> bool:
    """Whether the boxes end where the file ends: ffmpeg reads a cut header without a word."""
    offset = 0
    for _ in range(MOST_BOXES):
        file.seek(offset)
        head = file.read(16)
        if len(head) < 8:
            return offset == size
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            return True
        if length < 8:
            return False
        offset += length
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
