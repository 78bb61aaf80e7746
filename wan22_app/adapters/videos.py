"""Looks into videos: our own directly, a stranger's through the gate."""

import io
import json
import math
import subprocess
import sys
import uuid
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray
from pydantic import ValidationError

from wan22_app.adapters import durable
from wan22_app.adapters.files import probe, read_recipe, sha256
from wan22_app.adapters.images import INCOMING
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.errors import InvalidRequest, Problem, UserError
from wan22_app.domain.output import Recipe

Picture = NDArray[np.uint8]
MAX_BYTES = 30_000_000
TIMEOUT_S = 15
SLACK_S = 1e-4
"""A player's clock is a rounded one: without slack a frame's own time would find the one before."""

WORDS = {
    "empty": ("The file is empty.", "Choose another one."),
    "too_big": ("The video's headers are larger than any that this app writes.", ""),
    "not_an_mp4": ("This is no mp4 video.", "Drop a video that was made here."),
    "damaged": ("The video is damaged or cut short.", "Copy or download it again."),
    "no_recipe": (
        "There is no recipe in this video.",
        "Only videos made here carry one, and some programs remove it when they save a video.",
    ),
    "foreign": (
        "The recipe in this video is of another make or version.",
        "This app can use recipes that it wrote itself.",
    ),
}


class PyavVideos:
    """Videos with PyAV; ``uploads`` holds copies to go on from, and a stranger's file while it is
    read."""

    def __init__(self, uploads: Path):
        self._uploads = uploads

    def recipe(self, path: Path) -> Recipe | None:
        return read_recipe(path)

    def frame(self, path: Path, seconds: float) -> bytes:
        try:
            with av.open(str(path)) as container:
                picture = _frame_at(container, seconds)
        except (av.FFmpegError, OSError, IndexError) as error:
            raise UserError(_unreadable(path, str(error))) from error
        if picture is None:
            raise UserError(_unreadable(path, "no frames"))
        png = io.BytesIO()
        picture.to_image().save(png, "PNG")
        return png.getvalue()

    def keep(self, path: Path, still: str) -> VideoRef:
        part = self._uploads / f"{INCOMING}{uuid.uuid4().hex}.part"
        try:
            facts = probe(path)
            ref = VideoRef(
                sha256=sha256(path),
                still=still,
                width=facts.width,
                height=facts.height,
                fps=round(facts.fps),
                frames=facts.frames,
            )
        except (av.FFmpegError, OSError, IndexError, ValidationError) as error:
            raise UserError(_unreadable(path, str(error)[:300])) from error
        kept = self._uploads / f"{ref.sha256}.mp4"
        try:
            if not kept.is_file():
                durable.copy(path, part)
                part.replace(kept)
                durable.sync_folder(self._uploads)
        except OSError as error:
            raise UserError(_unkept(error)) from error
        finally:
            part.unlink(missing_ok=True)
        return ref

    def kept(self, video: VideoRef) -> Path:
        path = self._uploads / f"{video.sha256}.mp4"
        if not path.is_file():
            raise InvalidRequest(
                Problem(
                    code="continues_gone",
                    what="The video that it goes on from is not here any more.",
                    cure="Choose it on Outputs again.",
                    field="continues",
                )
            )
        return path.resolve()

    def compare(self, one: Path, other: Path) -> Comparison:
        frames, worst = [0, 0], math.inf
        for pair in zip_longest(pictures(one), pictures(other)):
            frames = [n + (picture is not None) for n, picture in zip(frames, pair, strict=True)]
            if all(picture is not None for picture in pair):
                worst = min(worst, _psnr(*pair))
        psnr = None if math.isinf(worst) else round(worst, 2)
        return Comparison(frames=frames[0], others=frames[1], psnr=psnr)

    def brought(self, data: bytes) -> Recipe:
        if not data:
            raise refusal("empty")
        if len(data) > MAX_BYTES:
            raise refusal("too_big")
        source = self._uploads / f"{INCOMING}{uuid.uuid4().hex}.mp4"
        try:
            source.write_bytes(data)
            text = _ask_gate(source)
        finally:
            source.unlink(missing_ok=True)
        try:
            return Recipe.model_validate_json(text)
        except ValidationError as error:
            raise refusal("foreign", str(error)[:300]) from error


def pictures(path: Path) -> Iterator[Picture]:
    """Every picture of a video, as it is shown. Raises UserError."""
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise UserError(_unreadable(path, str(error))) from error


def _psnr(one: Picture, other: Picture) -> float:
    """Peak signal to noise ratio of two pictures in dB: infinite for equal ones."""
    if one.shape != other.shape:
        return 0.0
    error = float(np.square(one.astype(np.int32) - other).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _frame_at(container: InputContainer, seconds: float) -> av.VideoFrame | None:
    """The last frame that starts at or before a time; beyond the end, the last of all."""
    stream = container.streams.video[0]
    if stream.time_base:
        # Backwards to a key frame, from where every picture up to the wanted one is decoded.
        container.seek(int(max(0.0, seconds) / stream.time_base), stream=stream)
    found: av.VideoFrame | None = None
    for frame in container.decode(stream):
        if found is not None and (frame.time or 0.0) > seconds + SLACK_S:
            break
        found = frame
    return found


def _ask_gate(source: Path) -> str:
    """Run the gate; whatever it dies of is a damaged video, never our error."""
    command = [sys.executable, "-m", "wan22_app.adapters.video_gate", str(source)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise refusal("damaged", str(error)[:300]) from error
    if "refused" in answer:
        raise refusal(answer["refused"], answer.get("detail", ""))
    return answer["recipe"]


def refusal(code: str, detail: str = "") -> InvalidRequest:
    """The error for a reason of the gate."""
    what, cure = WORDS[code]
    return InvalidRequest(Problem(code=f"video_{code}", what=what, cure=cure, evidence=detail))


def _unkept(error: OSError) -> Problem:
    return Problem(
        code="video_unkept",
        what="The video could not be kept to go on from.",
        cause=f"{error.strerror or type(error).__name__}.",
        cure="Make room on the disk of the data folder.",
    )


def _unreadable(path: Path, why: str) -> Problem:
    return Problem(
        code="video_unreadable",
        what="No picture can be read from this video.",
        cause="Its file was changed or damaged.",
        cure="Make it again from its recipe.",
        evidence=f"{path.name}: {why}",
    )
