"""The gate for start images: decoded in a process of its own, kept as plain PNG."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.generation import ImageRef

MAX_BYTES = 30_000_000
TIMEOUT_S = 20

WORDS = {
    "empty": ("The file is empty.", "Choose another one."),
    "too_big": (f"The file is larger than {MAX_BYTES // 1_000_000} MB.", "Choose a smaller one."),
    "not_an_image": ("This is no PNG, JPEG or WebP image.", "Save it in one of these formats."),
    "too_many_pixels": ("The image has more than 50 megapixels.", "Make it smaller."),
    "damaged": ("The image is damaged or cut short.", "Save or fetch it again."),
    "too_slow": ("The image could not be read.", "Choose another one."),
    "gone": ("The start image is no longer here.", "Choose it again."),
}


class GatedImages:
    """Images in the uploads folder, named by their content."""

    def __init__(self, uploads: Path):
        self._uploads = uploads

    def accept(self, data: bytes) -> ImageRef:
        if not data:
            raise refusal("empty")
        if len(data) > MAX_BYTES:
            raise refusal("too_big")
        stem = self._uploads / f"incoming-{uuid.uuid4().hex}"
        source, target = stem.with_suffix(".bin"), stem.with_suffix(".part")
        try:
            source.write_bytes(data)
            report = _decode(source, target)
            image = ImageRef.model_validate(report)
            target.replace(self._file(image))
        finally:
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
        return image

    def path(self, image: ImageRef) -> Path:
        file = self._file(image)
        if not file.is_file():
            raise refusal("gone")
        return file.resolve()

    def _file(self, image: ImageRef) -> Path:
        return self._uploads / f"{image.sha256}.png"


def refusal(code: str, detail: str = "") -> InvalidRequest:
    """The error for a reason of the gate."""
    what, cure = WORDS[code]
    return InvalidRequest(
        Problem(code=f"image_{code}", what=what, cure=cure, evidence=detail, field="image")
    )


def _decode(source: Path, target: Path) -> dict[str, Any]:
    """Run the gate; whatever it dies of is a damaged image, never our error."""
    command = [sys.executable, "-m", "wan22_app.adapters.image_gate", str(source), str(target)]
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
    return report
