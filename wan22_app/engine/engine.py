"""Turns a request into latents, frames and a file. One run at a time."""

import gc
import hashlib
import os
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from wan22_app.domain.events import Cancelled, Done, Event, Stage
from wan22_app.domain.generation import Geometry, geometry
from wan22_app.domain.output import Recipe
from wan22_app.domain.work import Work
from wan22_app.engine.decode import decode, frames
from wan22_app.engine.denoise import Prompt, denoise
from wan22_app.engine.failures import CannotWrite, failure
from wan22_app.engine.loading import Key, Loaded, load
from wan22_app.engine.loras import applied
from wan22_app.engine.picture import fitted
from wan22_app.engine.placement import decoder_calls, tile_vae
from wan22_app.engine.progress import Brake, Progress, Stopped
from wan22_app.engine.tasks import Task, from_image, from_text
from wan22_app.engine.video import with_poster, write_video

Emit = Callable[[Event], None]
LIBRARIES = ("torch", "diffusers", "transformers")


class Engine:
    """Holds at most one loaded pipeline; the next job with the same key finds it warm."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None

    def run(self, work: Work, emit: Emit, cancelled: threading.Event) -> None:
        """Do the work; the last event emitted is exactly one verdict. Never raises Exception."""
        brake = self._loaded.brake if self._loaded else Brake()
        brake.cancelled = cancelled
        stage = _StageWatch(emit)
        progress = Progress(work.job_id, stage, brake)
        try:
            with torch.no_grad():
                done = self._make(work, progress, brake)
        except Stopped:
            emit(Cancelled(job_id=work.job_id))
        except Exception as error:
            if stage.name == Stage.LOADING:
                self.free()
            emit(failure(error, work, stage.name))
        else:
            emit(done)
        finally:
            self._tidy()

    def free(self) -> None:
        """Forget the pipeline and give its memory back."""
        self._loaded = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _make(self, work: Work, progress: Progress, brake: Brake) -> Done:
        _forget_peaks(work)
        loaded = self._ready(work, progress, brake)
        pipeline = loaded.pipeline(with_image=work.request.image is not None)
        made = geometry(work.entry.spec, work.request)
        device = torch.device(work.plan.device)
        with applied(pipeline, work.request.loras, work.loras):
            prompt = self._read_prompt(pipeline, work, device, progress)
            task = self._start(pipeline, work, made, device, progress)
            progress.begin(Stage.DENOISING, work.request.steps)
            latents = denoise(pipeline, task, prompt, work.request, progress.advance)
        pixels = self._decode(pipeline, latents, work, progress)
        return self._write(pixels, latents, made, work, progress)

    def _ready(self, work: Work, progress: Progress, brake: Brake) -> Loaded:
        """The warm pipeline if it is the right one; two big ones never fit beside each other."""
        if self._loaded is None or self._loaded.key != Key.of(work.entry, work.plan):
            self.free()
            self._loaded = load(work.entry, work.plan, brake, progress)
        return self._loaded

    def _read_prompt(
        self, pipeline: Any, work: Work, device: torch.device, progress: Progress
    ) -> Prompt:
        request = work.request
        guided = request.guidance > 1.0
        progress.begin(Stage.TEXT, 1)
        positive, negative = pipeline.encode_prompt(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            do_classifier_free_guidance=guided,
            num_videos_per_prompt=1,
            max_sequence_length=work.entry.spec.text_length,
            device=device,
        )
        progress.advance()
        dtype = pipeline.transformer.dtype
        return Prompt(positive.to(dtype), negative.to(dtype) if guided else None)

    def _start(
        self, pipeline: Any, work: Work, made: Geometry, device: torch.device, progress: Progress
    ) -> Task:
        # On the CPU whatever the device: the same seed then means the same noise everywhere.
        generator = torch.Generator("cpu").manual_seed(work.request.seed)
        if not work.image:
            return from_text(pipeline, made, device, generator)
        progress.begin(Stage.IMAGE, 1)
        tile_vae(pipeline.vae, work.plan.tile)
        task = from_image(pipeline, fitted(work.image, made), made, device, generator)
        progress.advance()
        return task

    def _decode(
        self, pipeline: Any, latents: torch.Tensor, work: Work, progress: Progress
    ) -> torch.Tensor:
        tile_vae(pipeline.vae, work.plan.tile)
        progress.begin(Stage.DECODING, decoder_calls(pipeline.vae, latents))
        pixels = decode(pipeline.vae, latents, progress.advance)
        pipeline.maybe_free_model_hooks()
        return pixels

    def _write(
        self,
        pixels: torch.Tensor,
        latents: torch.Tensor,
        made: Geometry,
        work: Work,
        progress: Progress,
    ) -> Done:
        stem = f"{work.job_id}.{work.epoch}"
        video = Path(work.staging) / f"{stem}.mp4.part"
        poster = Path(work.staging) / f"{stem}.webp.part"
        digest = latents_sha256(latents)
        progress.begin(Stage.ENCODING, made.keep_frames)
        try:
            pictures = with_poster(frames(pixels, made), poster)
            recipe = _recipe(work, digest)
            count = write_video(video, pictures, work.request.fps, recipe, progress.advance)
        except OSError as error:
            raise CannotWrite(f"{type(error).__name__}: {error}") from error
        progress.finish()
        return Done(
            job_id=work.job_id,
            video=str(video),
            poster=str(poster),
            width=made.crop_width,
            height=made.crop_height,
            frames=count,
            fps=work.request.fps,
            latents_sha256=digest,
            seconds=progress.seconds,
            peak_vram_bytes=_peak_vram(work),
            peak_ram_bytes=progress.peak_ram_bytes,
        )

    def _tidy(self) -> None:
        """Offloaded components go home, whichever way the run ended."""
        if self._loaded is not None:
            pipeline: Any = self._loaded.text or self._loaded.image
            pipeline.maybe_free_model_hooks()


class _StageWatch:
    """Remembers the stage that the last progress event named, for the verdict's words."""

    def __init__(self, emit: Emit):
        self._emit = emit
        self.name = ""

    def __call__(self, event: Event) -> None:
        self.name = str(getattr(event, "stage", self.name))
        self._emit(event)


def latents_sha256(latents: torch.Tensor) -> str:
    """Hash of the latents' bytes: fp32, contiguous, on the CPU."""
    array = latents.detach().to("cpu", torch.float32).contiguous().numpy()
    return hashlib.sha256(array.tobytes()).hexdigest()


def versions(app_version: str) -> dict[str, str]:
    """Versions that decide about the result."""
    return {"wan22_app": app_version, **{name: version(name) for name in LIBRARIES}}


def _recipe(work: Work, digest: str) -> Recipe:
    return Recipe(
        demo=work.entry.spec.demo,
        request=work.request,
        plan=work.plan,
        revision=work.entry.revision,
        latents_sha256=digest,
        versions=versions(work.app_version),
        device=_device_name(work.plan.device),
    )


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def _forget_peaks(work: Work) -> None:
    if work.plan.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(work.plan.device)


def _peak_vram(work: Work) -> int:
    if not work.plan.device.startswith("cuda"):
        return 0
    return torch.cuda.max_memory_reserved(work.plan.device)


def use_threads(count: int) -> None:
    """Leave the other cores to the web."""
    torch.set_num_threads(max(1, count))
    os.environ["OMP_NUM_THREADS"] = str(max(1, count))
