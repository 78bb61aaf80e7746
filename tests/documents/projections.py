"""What the plan foresees for the real models, in bf16, on cards that many own."""

from collections.abc import Iterator

from tests.documents.tables import table
from wan22_app.domain.cards import card_of
from wan22_app.domain.catalog import GB, REAL_SPECS, ImageUse, ModelSpec
from wan22_app.domain.effort import operations
from wan22_app.domain.footprint import DECODING_SHARE, DENOISING_SHARE
from wan22_app.domain.generation import GenerationRequest, ImageRef
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import Device, Host, MemoryPlan

CARDS = (
    ("RTX 4060", 8), ("RTX 4070", 12), ("RTX 4080", 16), ("RTX 3090", 24), ("RTX 4090", 24),
    ("RTX 5090", 32), ("H100", 80),
)  # fmt: skip
"""Names and GiB, as they are sold."""
MAIN_MEMORY = 64
"""GB of the machine around the card."""
SIZES = ((832, 480), (1280, 720), (1920, 1080))
GIB = 1024**3
HEADS = ("model", "size", "steps", "card", "least", "foreseen", "of the card", "placement")
IMAGE = ImageRef(sha256="0" * 64, width=1280, height=720)
PAGE = """# Projections

**Computed, not measured.** Built by `python -m tests.documents` from the memory plan; a test
compares it with the code. What was measured is in `performance.md`.

Each model with its usual number of steps and frames, with guidance, in bf16 and with the decoder in
fp32, on a machine with {main} GB of main memory. "least" is the denoising at the card's peak by its
maker's data, which no program can go below without computing less or with fewer bits. "foreseen" is
the plan's guess before a machine has made anything itself: denoising at {denoising} % of the peak,
decoding at {decoding} %. Loading, text and encoding come on top. In published runs such programs
took 1.0 to 1.5 times what arithmetic says. Times are in minutes; the memory is what must be free.

{table}
"1080p in 17 minutes" and "720p in 9" on an RTX 4080 are not reached in bf16 by TI2V-5B, let alone
by A14B: the rows "least" show what stands in the way. Both need 8-bit attention and linear layers,
fewer steps by a distilled LoRA, or fewer evaluations, and each of those changes the picture.
"""


def projections_page(folder: object) -> str:
    """The page; no file is needed on the way."""
    del folder
    return PAGE.format(
        main=MAIN_MEMORY,
        denoising=round(100 * DENOISING_SHARE),
        decoding=round(100 * DECODING_SHARE),
        table=table(HEADS, _rows()),
    )


def _rows() -> Iterator[list[str]]:
    host = Host(total_bytes=MAIN_MEMORY * GIB, available_bytes=MAIN_MEMORY * GIB, cores=8)
    for spec in REAL_SPECS:
        for width, height in SIZES:
            request = _request(spec, width, height)
            for name, size in CARDS:
                device = Device(
                    kind="cuda", name=name, total_bytes=size * GIB, free_bytes=size * GIB
                )  # fmt: skip
                made = f"{width}×{height}×{request.frames}"
                yield [spec.name, made, str(request.steps), f"{name}, {size} GB",
                       *_foreseen(spec, request, device, host)]  # fmt: skip


def _request(spec: ModelSpec, width: int, height: int) -> GenerationRequest:
    image = IMAGE if spec.image is ImageUse.REQUIRED else None
    values = {"prompt": "x", "width": width, "height": height, "image": image, "precision": "bf16"}
    return GenerationRequest.build(spec, values, 1)


def _foreseen(
    spec: ModelSpec, request: GenerationRequest, device: Device, host: Host
) -> tuple[str, str, str, str]:
    card = card_of(device.name)
    assert card is not None
    least = f"{operations(spec, request) / (card.bf16 * 1e12) / 60:.1f}"
    plan = plan_memory(spec, request, device, host)
    if not isinstance(plan, MemoryPlan):
        needed = f"{plan.needed_bytes / GB:.1f} GB of {plan.short_of}"
        return least, "–", needed, "does not fit"
    assert plan.expected_seconds is not None
    tile = f"tiles of {plan.tile}" if plan.tile else "in one piece"
    keep = ", one part at a time" if plan.keep == "one" else ""
    foreseen = f"{plan.expected_seconds / 60:.1f}"
    peak = f"{plan.peak_vram_bytes / GB:.1f} GB"
    return least, foreseen, peak, f"offload {plan.offload}{keep}, {tile}"
