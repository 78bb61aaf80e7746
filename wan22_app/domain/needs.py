"""What a model asks of a machine before anybody writes a prompt."""

from functools import lru_cache

from wan22_app.domain.catalog import ImageUse, ModelSpec
from wan22_app.domain.generation import GenerationRequest, ImageRef
from wan22_app.domain.memory import RESERVE_BYTES, leanest
from wan22_app.domain.plan import Device
from wan22_app.domain.values import Value


class Needs(Value):
    """Bytes, from the same tables as a job's plan: estimates for the model's own default size."""

    vram: int
    ram: int


@lru_cache(maxsize=64)
def needs(spec: ModelSpec) -> Needs:
    """The least memory with which the model's defaults run, part by part and block by block."""
    image = ImageRef(sha256="0" * 64, width=spec.size.width, height=spec.size.height)
    fields: dict[str, object] = {"prompt": "anything"}
    if spec.image is ImageUse.REQUIRED:
        fields["image"] = image
    request = GenerationRequest.build(spec, fields, seed=0)
    # Tiles grow with the room that a card has; one without any shows what is least.
    card = Device(kind="cuda", name="any", total_bytes=0, free_bytes=0)
    plan = leanest(spec, request, card)
    return Needs(vram=plan.peak_vram_bytes, ram=plan.peak_ram_bytes + RESERVE_BYTES)
