"""The gate for start images: decoded in a process of its own, kept as plain PNG."""

import contextlib
import json
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import asdict
from pathlib import Path

from wan22_app.adapters.durable import sync_file, sync_folder
from wan22_app.adapters.image_rules import HUNGRY, MAX_PIXELS, GateJob
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.picture import LARGEST_SIDE, LONGEST_STORED, Background

MAX_BYTES = 30_000_000
TIMEOUT_S = 20
INCOMING = "incoming-"
ABANDONED_S = 3600.0
"""No file is on its way for so long: whoever brought it was killed."""
AT_ONCE = 2
"""Decoders beside each other: each may take half a gigabyte from the model."""
MEGA = 1_000_000
KINDS = "PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF"
SAVE_AS = "Save it as PNG or JPEG."

WORDS = {
    "empty": ("The file is empty.", "It was perhaps not copied to its end.", "Choose another one."),
    "too_big": (
        f"The file is larger than {MAX_BYTES // MEGA} MB.",
        "",
        "Save the image as JPEG, or make it smaller.",
    ),
    "too_many_pixels": (
        f"The image has more than {MAX_PIXELS // MEGA} megapixels "
        f"({min(HUNGRY.values()) // MEGA} for WebP and AVIF).",
        "Decoding it would take too much memory.",
        f"Make it smaller: no model draws more than {LARGEST_SIDE} pixels along a side.",
    ),
    "not_an_image": (f"This is no {KINDS} image.", "", "Save it in one of these formats."),
    "heic": (
        "This is a HEIC photo.",
        "Its format is patented, so it cannot be read here.",
        "Export it as JPEG. On an iPhone: Settings, Camera, Formats, Most Compatible.",
    ),
    "svg": (
        "This is an SVG drawing.",
        "It has shapes and no pixels.",
        "Export it as PNG at the size you want.",
    ),
    "pdf": ("This is a PDF document.", "", "Export the page or the picture in it as PNG."),
    "video": ("This is a video.", "", "Save one of its frames as an image and choose that."),
    "text": ("This is a text file.", "Its name may say otherwise.", "Choose an image."),
    "psd": ("This is a Photoshop file.", "", "Export it as PNG; its transparency is kept."),
    "jxl": ("This is a JPEG XL image, which is not read here.", "", SAVE_AS),
    "jp2": ("This is a JPEG 2000 image, which is not read here.", "", SAVE_AS),
    "odd_colours": (
        "The image stores its colours in a way that is not read here.",
        "It has 32 bits for each colour, or a colour space for measuring.",
        "Save it as RGB with 8 or 16 bits for each colour.",
    ),
    "damaged": (
        "The image is damaged or cut short.",
        "It was perhaps not downloaded or copied to its end.",
        "Save or fetch it again.",
    ),
    "too_slow": (
        "The image could not be read in time.",
        "It is unusually hard to decode, or the machine is very busy.",
        "Try again, or save it as PNG or JPEG first.",
    ),
    "unstored": (
        "The image could not be stored.",
        "The disk of the data folder is full, or may not be written to.",
        "Make room or correct the folder's rights, and choose the image again.",
    ),
    "gone": (
        "The start image is no longer here.",
        "It was removed in between.",
        "Choose it again.",
    ),
}
"""What happened, why, and the cure."""


class GatedImages:
    """Images in the uploads folder, named by their content."""

    def __init__(self, uploads: Path):
        self._uploads = uploads
        self._gates = threading.BoundedSemaphore(AT_ONCE)

    def accept(self, data: bytes, background: Background = "black") -> ImageRef:
        if not data:
            raise refusal("empty")
        if len(data) > MAX_BYTES:
            raise refusal("too_big")
        self._tidy()
        source = self._uploads / f"{INCOMING}{uuid.uuid4().hex}.bin"
        try:
            source.write_bytes(data)
            return self._convert(source, background)
        except OSError as error:
            raise refusal("unstored", str(error)) from error
        finally:
            source.unlink(missing_ok=True)

    def on_background(self, image: ImageRef, background: Background) -> ImageRef:
        if not image.original or image.background == background:
            return image
        original = self._original(image)
        if not original.is_file():
            raise refusal("gone")
        made = self._convert(original, background)
        kept = {"focus_x": image.focus_x, "focus_y": image.focus_y, "source": image.source}
        return made.model_copy(update=kept)

    def path(self, image: ImageRef) -> Path:
        file = self._file(image)
        if not file.is_file():
            raise refusal("gone")
        return file.resolve()

    def _convert(self, source: Path, background: Background) -> ImageRef:
        """Both files appear by rename: a half-written picture must never have a good name.

        Synced, too: a job that was confirmed must find its picture after a power cut.
        """
        stem = self._uploads / f"{INCOMING}{uuid.uuid4().hex}"
        flat, original = stem.with_suffix(".part"), stem.with_suffix(".original.part")
        job = GateJob(
            source=str(source),
            target=str(flat),
            original=str(original),
            background=background,
            shorter=LARGEST_SIDE,
            longer=LONGEST_STORED,
        )
        try:
            with self._gates:
                image = _decode(job)
            if image.original:
                sync_file(original)
                original.replace(self._original(image))
            sync_file(flat)
            flat.replace(self._file(image))
            sync_folder(self._uploads)
        finally:
            flat.unlink(missing_ok=True)
            original.unlink(missing_ok=True)
        return image

    def _tidy(self) -> None:
        """Remove what was cut short, here or at the door for videos."""
        for path in self._uploads.glob(f"{INCOMING}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    path.unlink()

    def _file(self, image: ImageRef) -> Path:
        return self._uploads / f"{image.sha256}.png"

    def _original(self, image: ImageRef) -> Path:
        return self._uploads / f"{image.original}.original.png"


def refusal(code: str, detail: str = "") -> InvalidRequest:
    """The error for a reason of the gate."""
    what, cause, cure = WORDS[code]
    return InvalidRequest(
        Problem(
            code=f"image_{code}", what=what, cause=cause, cure=cure, evidence=detail, field="image"
        )
    )


def _decode(job: GateJob) -> ImageRef:
    """Run the gate; whatever it dies of is a damaged image, never our error."""
    command = [sys.executable, "-m", "wan22_app.adapters.image_gate", json.dumps(asdict(job))]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise refusal("too_slow") from error
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise refusal("damaged", done.stderr.decode(errors="replace")[-300:]) from error
    if "refused" in report:
        raise refusal(report["refused"], report.get("detail", ""))
    return ImageRef.model_validate(report)
