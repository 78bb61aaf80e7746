"""What the gate for images accepts, and how it names what people drop instead.

Standard library only: the gate's own process and the one that starts it both read this.
"""

from dataclasses import dataclass

MAX_PIXELS = 50_000_000
HUNGRY = {"WEBP": 25_000_000, "AVIF": 25_000_000}
"""Most pixels of the formats whose decoders hold a picture several times."""

OURS = (
    (0, b"\x89PNG"), (0, b"\xff\xd8\xff"), (0, b"GIF8"), (0, b"BM"), (0, b"II*\0"), (0, b"MM\0*"),
    (8, b"WEBP"), (4, b"ftypavif"), (4, b"ftypavis"),
)  # fmt: skip
FOREIGN = (
    ("heic", 4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypmif1", b"ftypmsf1")),
    ("pdf", 0, (b"%PDF",)),
    ("jxl", 0, (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
    ("jp2", 0, (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    ("psd", 0, (b"8BPS",)),
    ("video", 4, (b"ftyp", b"moov", b"mdat")),
    ("video", 0, (b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"OggS", b"FLV\x01")),
    ("video", 8, (b"AVI ",)),
)
HEAD = 2048


@dataclass(frozen=True)
class GateJob:
    """One picture to convert.

    ``target`` becomes a plain RGB PNG; ``original`` the same picture with its transparency, when
    it has some. It is scaled down until its shorter side is at most ``shorter`` and no side is
    more than ``longer``, whichever leaves more of the one and keeps to the other.
    """

    source: str
    target: str
    original: str
    background: str
    shorter: int
    longer: int


def refusal_for(head: bytes) -> str:
    """The code of the reason why a file that no decoder knew is refused."""
    if any(head.startswith(mark, offset) for offset, mark in OURS):
        return "damaged"
    for code, offset, marks in FOREIGN:
        if head.startswith(marks, offset):
            return code
    return _text_kind(head) or "not_an_image"


def _text_kind(head: bytes) -> str:
    """``svg`` or ``text`` for what reads as text, empty for anything else."""
    try:
        # A character may be cut at the end of what was read.
        text = head.decode("utf-8-sig") if len(head) < HEAD else head[:-4].decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    if "\0" in text:
        return ""
    return "svg" if "<svg" in text.lower() else "text"
