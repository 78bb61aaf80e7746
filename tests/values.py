"""Domain values that many tests need."""

from datetime import UTC, datetime

from wan22_app.domain.catalog import DEMO_T2V, ModelSpec
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import Job
from wan22_app.domain.output import Output
from wan22_app.domain.plan import MemoryPlan

PLAN = MemoryPlan(
    device="cpu", precision="fp32", offload="none", tile=None, peak_vram_bytes=0, peak_ram_bytes=1
)


def a_request(spec: ModelSpec = DEMO_T2V, **fields: object) -> GenerationRequest:
    return GenerationRequest.build(spec, {"prompt": "a red ball", **fields}, seed=1)


def an_output(job: Job) -> Output:
    request = job.request
    return Output(
        id=job.id,
        owner=job.owner,
        request=request,
        video=f"{job.id}.mp4",
        poster=f"{job.id}.webp",
        width=request.width,
        height=request.height,
        frames=request.frames,
        fps=request.fps,
        bytes=1,
        sha256="0" * 64,
        latents_sha256="1" * 64,
        seconds={"denoising": 1.0},
        created_at=datetime.now(UTC),
    )
