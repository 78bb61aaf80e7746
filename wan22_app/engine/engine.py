"""Turns a request into latents, frames and a file. One run at a time."""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from wan22_app.domain.attention import BACKENDS, NATIVE
from wan22_app.domain.catalog import Attention, Compilation
from wan22_app.domain.compilation import NOTHING
from wan22_app.domain.events import Cancelled, Done, Drafted, Event, Stage
from wan22_app.domain.generation import Geometry, geometry
from wan22_app.domain.output import Recipe
from wan22_app.domain.work import Work
from wan22_app.engine.decode import decode, decoder_calls
from wan22_app.engine.denoise import denoise
from wan22_app.engine.experts import Experts
from wan22_app.engine.failures import (
    BadNumbers,
    CannotWrite,
    NotSaved,
    Untried,
    failure,
)
from wan22_app.engine.footage import footage, last_frames
from wan22_app.engine.loading import (
    Key,
    Loaded,
    components,
    load,
    reader_of,
)
from wan22_app.engine.picture import fitted, with_margins
from wan22_app.engine.placement import all_home, give_back, send_home, tile_vae
from wan22_app.engine.preview import (
    Colours,
    Previews,
    fit_colours,
    kept_colours,
    write_grey,
)
from wan22_app.engine.progress import Brake, Progress, Stopped
from wan22_app.engine.saved import SAVE_EVERY_S, Saved, Store, basis
from wan22_app.engine.shelf import Shelf
from wan22_app.engine.source import DTYPES, Source, from_disk
from wan22_app.engine.tasks import Task, from_pictures, from_text
from wan22_app.engine.versions import computing_in, device_name, libraries, versions
from wan22_app.engine.video import Film, Writing
from wan22_app.engine.watching import RamWatch

Emit = Callable[[Event], None]


class Engine:
    """Holds at most one loaded pipeline; the next job with the same key finds it warm."""

    def __init__(
        self,
        embeddings: Path,
        save_every_s: float = SAVE_EVERY_S,
        source: Source = from_disk,
        passed: Collection[Attention | Compilation] = (*BACKENDS, "regional"),
    ) -> None:
        """``embeddings`` is the folder where read prompts and colours of latents are kept;
        ``passed`` is what has passed its trial in this engine's life."""
        self._source = source
        self._passed: set[str] = {NATIVE, NOTHING, *passed}
        self._loaded: Loaded | None = None
        self._shelf = Shelf(embeddings)
        self._save_every = save_every_s

    def run(self, work: Work, emit: Emit, cancelled: threading.Event) -> None:
        """Do the work; the last event emitted is exactly one verdict. Never raises Exception."""
        brake = self._loaded.brake if self._loaded else Brake()
        brake.cancelled = cancelled
        stage = _StageWatch(emit)
        progress = Progress(work.job_id, stage, brake)
        try:
            with torch.no_grad(), RamWatch() as ram:
                done = self._make(work, progress, brake, ram)
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
        give_back()

    def _make(self, work: Work, progress: Progress, brake: Brake, ram: RamWatch) -> Done | Drafted:
        _forget_peaks(work)
        for way in (work.plan.attention, work.plan.compilation):
            if way not in self._passed:
                raise Untried(way)
        loaded = self._ready(work, progress, brake)
        loaded.work_so(work.plan)
        pipeline = loaded.pipeline(with_image=work.request.begins_with_pictures)
        made = geometry(work.entry.spec, work.request)
        numbers = basis(work, libraries(computing_in(work)))
        store = Store(Path(work.latents), numbers, self._save_every, progress.denoising_seconds)
        saved = _earlier(store, work, progress)
        if saved is not None and saved.final:
            latents = saved.latents.to(work.plan.device)
        else:
            latents = self._denoise(loaded, work, made, progress, store, saved)
            if work.until:
                return _drafted(store, work)
            if not latents.isfinite().all():
                raise BadNumbers("the denoised latents are not finite")
            store.final(latents, work.request.steps)
        done = self._film(pipeline, latents, made, work, progress)
        return done.model_copy(update={"peak_ram_bytes": ram.peak_bytes, **_peaks(work)})

    def _denoise(
        self,
        loaded: Loaded,
        work: Work,
        made: Geometry,
        progress: Progress,
        store: Store,
        saved: Saved | None,
    ) -> torch.Tensor:
        pipeline: Any = loaded.pipeline(with_image=work.request.begins_with_pictures)
        device = torch.device(work.plan.device)
        previews = Previews(_part(work, "preview"), self._colours(pipeline.vae, work, device))
        with Experts(loaded, pipeline, work, progress) as experts, previews:
            progress.begin(Stage.TEXT, 1)
            length, dtype = work.entry.spec.text_length, DTYPES[work.plan.precision]
            prompt = loaded.reader.read(work.request, length, device, dtype)
            if work.plan.keep == "one":
                loaded.reader.drop()
            progress.advance()
            progress.complete = prompt.fresh and saved is None
            task = self._start(pipeline, work, made, device, progress)
            steps = work.until or work.request.steps
            progress.begin(Stage.DENOISING, steps, saved.step if saved else 0)
            try:
                return denoise(
                    pipeline, experts.at, task, prompt, work.request, progress.advance,
                    previews.show, store, saved, work.until,
                )  # fmt: skip
            finally:
                store.settle()

    def _colours(self, vae: Any, work: Work, device: torch.device) -> Colours | None:
        """What latents of this checkpoint look like; the first run of it finds out."""

        def fitting() -> Colours:
            try:
                return fit_colours(vae, device)
            finally:
                send_home(vae)

        return kept_colours(self._shelf, Path(work.entry.folder), fitting)

    def _ready(self, work: Work, progress: Progress, brake: Brake) -> Loaded:
        """The warm pipeline if it is the right one; two big ones never fit beside each other."""
        entry, plan = work.entry, work.plan
        if self._loaded is not None and self._loaded.key != Key.of(entry, plan):
            self.free()
        warm = self._loaded
        reader = warm.reader if warm else reader_of(entry, plan, brake, self._shelf, self._source)
        unread = reader.needs_encoder(work.request, entry.spec.text_length)
        if warm is not None and not unread:
            return warm
        progress.begin(Stage.LOADING, unread + (0 if warm else len(components(entry, plan))))
        with progress.loading():
            if unread:
                reader.load()
                progress.advance()
            self._loaded = warm or load(entry, plan, brake, progress.advance, reader, self._source)
        return self._loaded

    def _start(
        self, pipeline: Any, work: Work, made: Geometry, device: torch.device, progress: Progress
    ) -> Task:
        # On the CPU whatever the device: the same seed then means the same noise everywhere.
        generator = torch.Generator("cpu").manual_seed(work.request.seed)
        if not work.request.begins_with_pictures:
            return from_text(pipeline, made, device, generator)
        progress.begin(Stage.IMAGE, 1)
        tile_vae(pipeline.vae, work.plan.tile)
        last = work.request.last_image
        ending = None if last is None else fitted(work.last_image, made, last.focus)
        first = list(_beginning(work, made))
        task = from_pictures(pipeline, first, made, device, generator, ending)
        send_home(pipeline.vae)
        progress.advance()
        return task

    def _film(
        self,
        pipeline: Any,
        latents: torch.Tensor,
        made: Geometry,
        work: Work,
        progress: Progress,
    ) -> Done:
        """Decode and encode side by side."""
        digest = latents_sha256(latents)
        film = _film_of(work, digest)
        tile_vae(pipeline.vae, work.plan.tile)
        progress.begin(Stage.DECODING, decoder_calls(pipeline.vae, latents))
        try:
            with Writing(film) as writing:
                tail = _tail(work)
                frames = decode(pipeline.vae, latents, made, progress.advance)
                for frame in islice(frames, tail, None):
                    writing.put(frame)
                all_home(pipeline)
                writing.close()
                _follow(writing, made.keep_frames - tail, progress)
        except OSError as error:
            raise CannotWrite(f"{type(error).__name__}: {error}") from error
        progress.finish()
        return Done(
            job_id=work.job_id,
            video=str(film.video),
            poster=str(film.poster),
            width=made.crop_width,
            height=made.crop_height,
            frames=film.frames_before + writing.written,
            fps=work.request.fps,
            latents_sha256=digest,
            seconds=progress.seconds,
            complete=progress.complete,
        )

    def _tidy(self) -> None:
        """Offloaded components go home, whichever way the run ended."""
        if self._loaded is not None:
            all_home(self._loaded.text or self._loaded.image)


def _earlier(store: Store, work: Work, progress: Progress) -> Saved | None:
    """What an earlier run of the job has left, told to the story either way."""
    saved, changed = store.read()
    if saved is not None:
        # What the video took is what all of its runs took: estimates are drawn from it.
        progress.seconds[str(Stage.DENOISING)] = saved.seconds
    if saved is not None or changed:
        step = saved.step if saved else 0
        progress.resumed(step, work.request.steps, changed)
    return saved


def _beginning(work: Work, made: Geometry) -> Iterator[Image.Image]:
    """The frames that are given: the image alone, or the last ones of a video."""
    image = work.request.image
    if image is not None:
        yield fitted(work.image, made, image.focus)
        return
    for frame in last_frames(Path(work.continues), _tail(work)):
        yield Image.fromarray(with_margins(frame, made))


def _tail(work: Work) -> int:
    """Frames of the video before that the model is given, and that are not written once more."""
    return work.request.continues.tail if work.request.continues else 0


def _drafted(store: Store, work: Work) -> Drafted:
    """The verdict of a draft; both that it shows and that it can go on must be there."""
    saved, _ = store.read()
    if saved is None or saved.step < work.until:
        raise NotSaved(f"step {work.until} of {work.latents}")
    preview = _part(work, "preview")
    if not preview.is_file():
        # No colours could be fitted, say: the draft can be gone on with all the same.
        write_grey(preview)
    return Drafted(job_id=work.job_id, preview=str(preview), step=saved.step)


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


def _film_of(work: Work, digest: str) -> Film:
    """What to write, as part files in the staging folder."""
    video, poster = _part(work, "mp4"), _part(work, "webp")
    before = footage(Path(work.continues)) if work.request.continues else None
    return Film(video, poster, work.request.fps, _recipe(work, digest), before)


def _part(work: Work, kind: str) -> Path:
    return Path(work.staging) / f"{work.job_id}.{work.epoch}.{kind}.part"


def _follow(writing: Writing, total: int, progress: Progress) -> None:
    """Tell how far the encoder is, once it is all that is left."""
    told = writing.written
    progress.begin(Stage.ENCODING, total, told)
    done = False
    while not done:
        done = writing.is_done(patience_s=0.05)
        for _ in range(writing.written - told):
            progress.advance()
        told = writing.written
        progress.check()


def _recipe(work: Work, digest: str) -> Recipe:
    return Recipe(
        demo=work.entry.spec.demo,
        request=work.request,
        plan=work.plan.placement,
        revision=work.entry.revision,
        latents_sha256=digest,
        versions=versions(work.app_version, computing_in(work)),
        device=device_name(work.plan.device),
        asked=work.asked,
        parent=work.parent,
    )


def _forget_peaks(work: Work) -> None:
    """What an earlier run left reserved would count as this one's."""
    give_back()
    if work.plan.device.startswith("cuda"):
        # The first thing a fresh process does with the card, and this call alone would not do it.
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(work.plan.device)


def _peaks(work: Work) -> dict[str, int]:
    """Bytes of the card: what the allocator held, and what of it was in use."""
    device = work.plan.device
    if not device.startswith("cuda"):
        return {}
    return {
        "peak_vram_bytes": torch.cuda.max_memory_reserved(device),
        "peak_allocated_bytes": torch.cuda.max_memory_allocated(device),
    }


def use_threads(count: int) -> None:
    """Leave the other cores to the web."""
    torch.set_num_threads(max(1, count))
    os.environ["OMP_NUM_THREADS"] = str(max(1, count))
