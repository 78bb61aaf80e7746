"""The pages that are built from what the code really does."""

from collections.abc import Callable
from pathlib import Path

from tests.documents.combinations import quantization_page
from tests.documents.images import image_tables
from tests.documents.projections import projections_page
from tests.documents.prompts import prompt_table
from tests.documents.settings import settings_page
from tests.documents.sizes import size_tables
from wan22_app.adapters.image_gate import ADDRESS_SPACE, CPU_SECONDS
from wan22_app.adapters.image_rules import HUNGRY, MAX_PIXELS
from wan22_app.adapters.images import MAX_BYTES, MEGA
from wan22_app.domain.picture import LARGEST_SIDE, LONGEST_STORED

DOCS = Path(__file__).parents[2] / "docs"
COMPATIBILITY = """# What goes in

Built by `python -m tests.documents` from real runs; a test compares it with the code.

## Start images

Every image is decoded in a process of its own with {memory} MB of memory and {seconds} s of time,
and kept as a plain PNG: upright, 8 bits, sRGB, without metadata. A file may have {bytes} MB and
{most} megapixels, {hungry} for WebP and AVIF, whose decoders hold a picture several times. No model
draws more than {side} pixels along a side, so larger images are scaled until their shorter side has
{side} pixels and the longer at most {long}. What is transparent lies on black or on white, as
chosen. PNG, JPEG and WebP are accepted as they are; from the others one picture is taken over.

{images}
## Sizes

The model makes the next legal size and length; the picture is cut around its centre and surplus
frames at the end. A start image covers the asked size; which part is kept can be chosen.

{sizes}
## Prompts

Counted by the tokenizer of the demo models, which knows letters of English and takes every other
character byte by byte. The tokenizer of the real models knows words of a hundred languages and
needs far fewer tokens; both read at most 512 and the form takes at most 2000 characters.

{prompts}"""


def compatibility_page(folder: Path) -> str:
    """Formats, sizes and prompts; ``folder`` is for files on the way."""
    return COMPATIBILITY.format(
        images=image_tables(folder),
        sizes=size_tables(),
        prompts=prompt_table(folder),
        memory=ADDRESS_SPACE // 1024**2,
        seconds=CPU_SECONDS,
        bytes=MAX_BYTES // MEGA,
        most=MAX_PIXELS // MEGA,
        hungry=min(HUNGRY.values()) // MEGA,
        side=LARGEST_SIDE,
        long=LONGEST_STORED,
    )


PAGES: dict[Path, Callable[[Path], str]] = {
    DOCS / "compatibility.md": compatibility_page,
    DOCS / "projections.md": projections_page,
    DOCS / "quantization.md": quantization_page,
    DOCS / "settings.md": settings_page,
}
