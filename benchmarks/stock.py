"""The plain diffusers script that our engine is compared with."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline, WanPipeline
from PIL import Image

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.generation import geometry
from wan22_app.domain.work import Work
from wan22_app.engine.picture import fitted
from wan22_app.engine.source import EXPERTS, Source


def stock_pipeline(work: Work, source: Source) -> Any:
    """What the model card's script has on the device: all parts, with diffusers' own forward."""
    spec, plan = work.entry.spec, work.plan
    names = ("tokenizer", "text_encoder", "vae", "scheduler", *EXPERTS[: spec.experts])
    parts: dict[str, Any] = dict.fromkeys(EXPERTS)
    parts |= {name: source(work.entry, name, plan) for name in names}
    parts["scheduler"] = UniPCMultistepScheduler.from_config(
        parts["scheduler"].config, flow_shift=work.request.shift
    )
    options = {"boundary_ratio": spec.boundary, "expand_timesteps": spec.boundary is None}
    if work.request.image is None:
        pipeline = WanPipeline(**parts, **options)
    else:
        none: Any = None
        pipeline = WanImageToVideoPipeline(
            **parts, **options, image_encoder=none, image_processor=none
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(plan.device)


def run_stock(pipeline: Any, work: Work) -> torch.Tensor:
    """Make the video as the script would, with its export; the final latents, normalised."""
    request = work.request
    made = geometry(work.entry.spec, request)
    last: list[torch.Tensor] = []

    def keep(_pipe: object, _i: int, _t: object, kwargs: dict[str, torch.Tensor]) -> dict:
        last[:] = [kwargs["latents"]]
        return kwargs

    given = {}
    if request.image is not None:
        given["image"] = fitted(work.image, made, request.image.focus)
    video = pipeline(
        **given,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=made.width,
        height=made.height,
        num_frames=made.frames,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        guidance_scale_2=request.guidance_low,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        max_sequence_length=work.entry.spec.text_length,
        callback_on_step_end=keep,
    ).frames[0]
    export(video, Path(work.staging) / "stock.mp4", request.fps)
    return last[0]


def export(video: np.ndarray, path: Path, fps: int) -> None:
    """The plainest PyAV script; diffusers' own export needs libraries that the app does without."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = video.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in (video * 255).astype(np.uint8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def start_image(folder: Path, spec: ModelSpec) -> Path:
    """A picture of the model's own size, of colours that mean nothing."""
    path = folder / "start.png"
    size = spec.size.height, spec.size.width, 3
    pixels = np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
