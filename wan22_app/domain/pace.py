"""How long the ways to place a run take beside each other, before anything was measured.

Only their order counts: a card that is not listed is taken for one of middling speed.
"""

from wan22_app.domain.cards import Card, card_of
from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.events import Stage
from wan22_app.domain.footprint import as_loaded, seconds_on
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import Device, MemoryPlan

BUS = 12e9
"""Bytes a second from main memory to the card, a part at a time (measured by others: 13 to 18)."""
PINNED_BUS = 22e9
"""The same from pinned memory, as blocks are fetched (22.5 to 24)."""
FETCHING = 0.03
"""Of the denoising, what block offload may cost where computing hides the way of the weights."""
MIDDLING = Card("a card that is not listed", 76, 2.5, 512)


def duration(
    spec: ModelSpec, request: GenerationRequest, plan: MemoryPlan, device: Device
) -> float:
    """Seconds of computing, and of waiting for the bus, by arithmetic; the disk is not in it."""
    spent = seconds_on(card_of(device.name) or MIDDLING, spec, request, plan.tile)
    costs = as_loaded(spec, request).costs
    weights = costs.text_bytes + costs.experts * costs.transformer_bytes
    waiting = 0.0
    if plan.offload == "model":
        waiting = weights / BUS
    elif plan.offload == "block":
        forwards = request.steps * (2 if request.guidance > 1 else 1)
        fetched = forwards * costs.transformer_bytes
        denoising = spent[Stage.DENOISING]
        if plan.quantization == "none" and not spec.packed:
            waiting = max(FETCHING * denoising, fetched / PINNED_BUS - denoising)
        else:
            # Quantized blocks do not come while others compute, see ``engine.placement``.
            waiting = max(FETCHING * denoising, fetched / BUS)
    return sum(spent.values()) + waiting
