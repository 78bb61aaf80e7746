"""Speaking names for downloads, in whatever script the prompt is."""

import unicodedata
from urllib.parse import quote

from wan22_app.domain.output import Output

LONGEST = 60
ID_LENGTH = 8
KEPT = ("L", "M", "N")
"""Letters, their marks and numbers of any script; all else could mean something to a disk."""


def download_name(output: Output) -> str:
    """``a-red-ball-rolls-1f2e3d4c.mp4``."""
    text = unicodedata.normalize("NFC", output.request.prompt)
    kept = "".join(c if unicodedata.category(c)[0] in KEPT else " " for c in text)
    slug = "-".join(kept.split())
    if len(slug) > LONGEST:
        # At the end of a word where there is one; scripts without spaces are just cut.
        slug = slug[: LONGEST + 1].rpartition("-")[0] or slug[:LONGEST]
    return f"{slug or 'video'}-{output.id[:ID_LENGTH]}.mp4"


def attachment(name: str, output_id: str) -> str:
    """A Content-Disposition after RFC 6266: plain for old programs, UTF-8 for all others."""
    plain = f"wan22-{output_id[:ID_LENGTH]}.mp4"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
