"""What a model asks of a machine before anybody writes a prompt."""

from functools import lru_cache

from wan22_app.domain.catalog import GB, ImageUse, ModelSpec
from wan22_app.domain.generation import GenerationRequest, ImageRef
from wan22_app.domain.memory import Device, Host, MemoryPlan, plan_memory
from wan22_app.domain.values import Value

ENDLESS = 10**6 * GB


class Needs(Value):
    """Bytes, from the same tables as a job's plan: estimates for the model's own default size."""

    vram: int
    ram: int


@lru_cache(maxsize=64)
def needs(spec: ModelSpec) -> Needs:
    """The least memory with which the model's defaults run, its blocks moved in one by one."""
    image = ImageRef(sha256="0" * 64, width=spec.size.width, height=spec.size.height)
    fields: dict[str, object] = {"prompt": "anything", "offload": "block"}
    if spec.image is ImageUse.REQUIRED:
        fields["image"] = image
    request = GenerationRequest.build(spec, fields, seed=0)
    card = Device(kind="cuda", name="any", total_bytes=ENDLESS, free_bytes=ENDLESS)
    host = Host(total_bytes=ENDLESS, available_bytes=ENDLESS, cores=1)
    plan = plan_memory(spec, request, card, host)
    assert isinstance(plan, MemoryPlan), "nothing is short of an endless machine"
    return Needs(vram=plan.peak_vram_bytes, ram=plan.peak_ram_bytes)
