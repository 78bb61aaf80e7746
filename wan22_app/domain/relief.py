"""What is tried by itself when memory was not enough: smaller tiles, one part at a time, more
offload, smaller chunks.

None of it changes what is drawn beyond rounding: size, frames, steps, precision and seed stay the
person's own.
"""

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest, geometry
from wan22_app.domain.plan import LEAST_CHUNK, Keep, MemoryPlan, Offload
from wan22_app.domain.values import Value

OFFLOADS: tuple[Offload, ...] = ("none", "model", "block")
TILES = (768, 512, 384, 256, 192, 128, 96, 64)
"""Sides in pixels, each a multiple of what every layout can tile by."""
TILED = (Stage.IMAGE, Stage.DECODING)
CHUNKS = (2048, LEAST_CHUNK)
"""Tokens."""


class Relief(Value):
    """At least this much offload, tiles and chunks of at most these, and no more kept in memory.

    The default asks for nothing.
    """

    offload: Offload = "none"
    keep: Keep = "all"
    tile: int | None = None
    chunk: int | None = None

    def sentence(self) -> str:
        """What is done, for the job's story; empty for nothing."""
        offload = f"offload “{self.offload}”" if self.offload != "none" else ""
        parts = "one part of the model in memory at a time" if self.keep == "one" else ""
        chunks = f"chunks of {self.chunk} tokens" if self.chunk is not None else ""
        tiles = f"tiles of {self.tile} pixels" if self.tile is not None else ""
        return " and ".join(filter(None, (offload, parts, chunks, tiles)))


class Extent(Value):
    """How much is made: the longer side in pixels, and the length of the sequence in tokens."""

    longest: int
    tokens: int

    @classmethod
    def of(cls, spec: ModelSpec, request: GenerationRequest) -> "Extent":
        """Of what the model makes for this request."""
        made = geometry(spec, request)
        tokens = spec.tokens(made.width, made.height, made.frames)
        return cls(longest=max(made.width, made.height), tokens=tokens)


def eased(plan: MemoryPlan, relief: Relief) -> MemoryPlan:
    """The plan with the relief on top; what it asks for already stays."""
    both = stronger(relief_of(plan), relief)
    chunk = both.chunk or plan.chunk
    return plan.model_copy(
        update={"offload": both.offload, "keep": both.keep, "tile": both.tile, "chunk": chunk}
    )


def relief_of(plan: MemoryPlan) -> Relief:
    """What the plan does already."""
    chunk = plan.chunk if plan.chunk in CHUNKS else None
    return Relief(offload=plan.offload, keep=plan.keep, tile=plan.tile, chunk=chunk)


def next_rung(plan: MemoryPlan, stage: Stage, made: Extent, *, host: bool = False) -> Relief | None:
    """What to try after ``plan`` ran out in ``stage``; None when nothing is left.

    Only what makes a difference: a tile smaller than the picture, a chunk shorter than the
    sequence. When the ``host``'s memory ran out, offload would only make it worse.
    """
    now = relief_of(plan)
    if stage in TILED:
        smaller = [side for side in TILES if side < min(made.longest, plan.tile or made.longest)]
        if smaller:
            return now.model_copy(update={"tile": smaller[0]})
    if plan.keep == "all" and (host or plan.device == "cpu"):
        return now.model_copy(update={"keep": "one"})
    more = OFFLOADS[OFFLOADS.index(plan.offload) + 1 :]
    if more and not host and plan.device != "cpu":
        return now.model_copy(update={"offload": more[0]})
    shorter = [chunk for chunk in CHUNKS if chunk < min(made.tokens, plan.chunk)]
    if shorter and stage is Stage.DENOISING and (not host or plan.device == "cpu"):
        return now.model_copy(update={"chunk": shorter[0]})
    return None


def stronger(first: Relief, second: Relief) -> Relief:
    """What satisfies both."""
    return Relief(
        offload=_more(first.offload, second.offload),
        keep="one" if "one" in (first.keep, second.keep) else "all",
        tile=_least(first.tile, second.tile),
        chunk=_least(first.chunk, second.chunk),
    )


def _least(first: int | None, second: int | None) -> int | None:
    return min((one for one in (first, second) if one is not None), default=None)


def _more(first: Offload, second: Offload) -> Offload:
    return first if OFFLOADS.index(first) >= OFFLOADS.index(second) else second
