"""What is tried by itself when memory was not enough: smaller tiles, more offload.

None of it changes what is drawn beyond rounding: size, frames, steps, precision and seed stay the
person's own.
"""

from wan22_app.domain.events import Stage
from wan22_app.domain.memory import MemoryPlan, Offload
from wan22_app.domain.values import Value

OFFLOADS: tuple[Offload, ...] = ("none", "model", "block")
TILES = (256, 192, 128, 96, 64)
"""Sides in pixels, each a multiple of what every layout can tile by."""
TILED = (Stage.IMAGE, Stage.DECODING)


class Relief(Value):
    """At least this much offload, and tiles of at most this side. The default asks for nothing."""

    offload: Offload = "none"
    tile: int | None = None

    def sentence(self) -> str:
        """What is done, for the job's story; empty for nothing."""
        offload = f"offload “{self.offload}”" if self.offload != "none" else ""
        tiles = f"tiles of {self.tile} pixels" if self.tile is not None else ""
        return " and ".join(filter(None, (offload, tiles)))


def eased(plan: MemoryPlan, relief: Relief) -> MemoryPlan:
    """The plan with the relief on top; what it asks for already stays."""
    both = stronger(Relief(offload=plan.offload, tile=plan.tile), relief)
    return plan.model_copy(update={"offload": both.offload, "tile": both.tile})


def next_rung(plan: MemoryPlan, stage: Stage, longest: int, *, host: bool = False) -> Relief | None:
    """What to try after ``plan`` ran out in ``stage``; None when nothing is left.

    ``longest`` is the longer side of what is made, in pixels: a tile beyond it would be none. When
    the ``host``'s memory ran out, offload would only make it worse.
    """
    tile = plan.tile
    if stage in TILED:
        smaller = [side for side in TILES if side < min(longest, tile or longest)]
        if smaller:
            return Relief(offload=plan.offload, tile=smaller[0])
    on_card = plan.device != "cpu"
    more = OFFLOADS[OFFLOADS.index(plan.offload) + 1 :]
    if host or not on_card or not more:
        return None
    return Relief(offload=more[0], tile=tile)


def stronger(first: Relief, second: Relief) -> Relief:
    """What satisfies both."""
    tiles = [tile for tile in (first.tile, second.tile) if tile is not None]
    return Relief(
        offload=_more(first.offload, second.offload),
        tile=min(tiles, default=None),
    )


def _more(first: Offload, second: Offload) -> Offload:
    return first if OFFLOADS.index(first) >= OFFLOADS.index(second) else second
