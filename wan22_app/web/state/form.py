"""The generation form: fields, choices, verdict, submission."""

import asyncio
import secrets
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain import loras
from wan22_app.domain.catalog import CATALOG, ModelEntry, ModelSpec, Size
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.defaults import GenerationDefaults
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import MAX_SEED, GenerationRequest, ImageRef
from wan22_app.web import choices, unsent, words
from wan22_app.web.choices import ModelView
from wan22_app.web.counter import Counted, counted
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.continuation import Continuation
from wan22_app.web.state.last_image import LastImage
from wan22_app.web.state.lora_list import LoraList
from wan22_app.web.state.speed import SpeedChoice
from wan22_app.web.state.stage import StageState
from wan22_app.web.state.start_image import StartImage
from wan22_app.web.state.switches import Switches
from wan22_app.web.unsent import Unsent
from wan22_app.web.verdict import VerdictView, problems_text, verdict_view, without_weights

TEXT_FIELDS = (
    "prompt", "negative_prompt", "width", "height", "frames", "fps", "steps", "guidance",
    "guidance_low", "shift", "sampler", "step_cache", "seed", "precision", "vae_precision",
    "quantization", "text_quantization", "attention", "compilation", "offload", "keep",
    "tile", "chunk", "may_reduce", "loras", "count", "drafts",
)  # fmt: skip
LONGEST = 5000


class FormState(StartImage, LastImage, Continuation, LoraList, SpeedChoice, Switches, rx.State):
    """One tab's form. Fields are the texts that were typed; the domain judges them."""

    model: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    width: str = ""
    height: str = ""
    frames: str = ""
    fps: str = ""
    steps: str = ""
    guidance: str = ""
    guidance_low: str = ""
    shift: str = ""
    sampler: str = "unipc"
    step_cache: str = "0"
    seed: str = ""
    count: str = "1"
    precision: str = "bf16"
    vae_precision: str = "fp32"
    quantization: str = "none"
    text_quantization: str = "none"
    attention: str = "native"
    compilation: str = "none"
    offload: str = "auto"
    keep: str = "auto"
    tile: str = "auto"
    chunk: str = "auto"

    models: list[ModelView] = []
    chosen: ModelView = ModelView()
    shapes: list[str] = []
    qualities: list[str] = []
    lengths: list[str] = []
    shape: str = ""
    quality: str = ""
    length: str = ""
    errors: dict[str, str] = {}
    verdict: VerdictView = VerdictView()
    counted: Counted = Counted()
    key: str = ""
    sending: bool = False
    draft: str = rx.LocalStorage("", name="wan22_draft")
    _touched: bool = False
    _standing: GenerationDefaults = GenerationDefaults()

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Fill the lists, and the form from the draft that the browser kept."""
        await self._open()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def change(self, name: str, value: str) -> None:
        """A field was typed into or chosen."""
        if name not in TEXT_FIELDS or not isinstance(value, str) or len(value) > LONGEST:
            return
        setattr(self, name, value)
        self._touched = self._touched or name == "prompt"
        self._mark_choices()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_model(self, key: str) -> None:
        """Another model brings its own defaults; prompt, image and seed stay."""
        await self._stand()
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == key:
                self._choose(entry)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_shape(self, shape: str | list[str]) -> None:
        """Keep the quality, change the shape."""
        self._set_size(choices.size_for(self._spec(), str(shape), self.quality))
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_quality(self, quality: str | list[str]) -> None:
        """Keep the shape, change the quality."""
        self._set_size(choices.size_for(self._spec(), self.shape, str(quality)))
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_length(self, length: str | list[str]) -> None:
        """Seconds become a legal frame count at the chosen rate."""
        seconds = choices.whole(str(length).removesuffix(" s"))
        if seconds:
            fps = choices.whole(self.fps) or self._spec().fps
            self.frames = str(choices.frames_for(self._spec(), seconds, fps))
        self._mark_choices()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def throw_dice(self) -> None:
        """A seed that stays, to change one thing at a time."""
        self.seed = str(secrets.randbelow(MAX_SEED + 1))
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def reset_fields(self) -> None:
        """Back to the model's defaults; the prompt stays."""
        await self._stand()
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == self.model:
                self._choose(entry)
        self.seed, self.count, self.drafts, self.loras = "", "1", "False", ""
        self._show_loras()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def submit(self, key: str) -> Any:
        """Queue the job. The key comes with the click: two clicks on one form are one job."""
        if not isinstance(key, str) or not 8 <= len(key) <= 64:
            return
        self._touched = True
        self.sending = True
        yield
        try:
            jobs = await asyncio.to_thread(
                services().submission.submit_batch,
                person_of(self), self._fields(), key, first=self.first,
            )  # fmt: skip
        except UserError as error:
            self._show(error)
        else:
            self.key, self.first = secrets.token_hex(16), False
            await self._judge()
            queued = words.QUEUED if len(jobs) == 1 else words.QUEUED_ALL.format(count=len(jobs))
            yield [StageState.follow, rx.toast.success(queued)]
        finally:
            self.sending = False

    @rx.event
    @policy(Policy.PERSON)
    async def use_job(self, job_id: str) -> None:
        """Fill the form with the settings of an earlier job."""
        try:
            job = await asyncio.to_thread(services().queue.get, person_of(self), str(job_id))
        except UserError:
            return
        await self._use(job.request)

    # Shared steps

    async def _open(self) -> None:
        await self._stand()
        entries = await asyncio.to_thread(services().library.entries)
        ready_first = sorted(entries, key=lambda entry: not entry.ready)
        self.models = [choices.model_view(entry) for entry in ready_first]
        self.lora_offers = loras.offered(await asyncio.to_thread(services().library.loras))
        self.key = self.key or secrets.token_hex(16)
        if not self.model:
            self._choose(next(iter(ready_first)))
            self._restore(self.draft)

    async def _use(self, request: GenerationRequest) -> None:
        """Fill the form with settings of earlier; an unknown model leaves the chosen one."""
        await self._open()
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == request.model:
                self._choose(entry)
        values = request.model_dump(exclude={"model", "image", "last_image", "continues", "loras"})
        texts = {name: "" if v is None else str(v) for name, v in values.items()}
        self._fill({**texts, "loras": loras.written(loras.chosen(request.loras))})
        self._set_image(request.image)
        self._set_last(request.last_image)
        self._set_video(request.continues if self.chosen.takes_image else None)
        await self._judge()

    async def _start_from(self, image: ImageRef, maker: str) -> None:
        """Take a start image, which ``maker`` has made."""
        await self._take_pictures(maker)
        self._set_video(None)
        self._set_image(image)
        await self._judge()

    async def _continue(self, video: VideoRef, request: GenerationRequest) -> None:
        """Go on from a video, with the settings that made it as far as the model has them."""
        await self._use(request)
        await self._take_pictures(request.model)
        if self.model != request.model:
            self.loras = ""
            self._show_loras()
        self._go_on(video)
        self.seed = ""
        self._mark_choices()
        await self._judge()

    async def _take_pictures(self, maker: str) -> None:
        """Where the chosen model takes no pictures, choose the maker of these, or else the first
        that runs here and takes some."""
        await self._open()
        if not self.chosen.takes_image:
            entries = await asyncio.to_thread(services().library.entries)
            takers = [e for e in entries if choices.model_view(e).takes_image]
            demo = self.chosen.demo
            takers.sort(key=lambda e: (not e.ready, e.spec.key != maker, e.spec.demo is not demo))
            self._choose(next(iter(takers)))

    def _spec(self) -> ModelSpec:
        """Limits of the chosen model, from the list that was loaded."""
        try:
            return services().library.entry(self.model).spec
        except UserError:
            return next(iter(CATALOG.values()))

    def _choose(self, entry: ModelEntry) -> None:
        spec = entry.spec
        self.model, self.chosen = spec.key, choices.model_view(entry)
        defaults = {
            "negative_prompt": spec.negative_prompt,
            "frames": spec.frames,
            "fps": spec.fps,
            "steps": spec.steps,
            "guidance": spec.guidance,
            "guidance_low": "" if spec.guidance_low is None else spec.guidance_low,
            "shift": spec.shift,
            "sampler": "unipc",
            "step_cache": 0,
            "attention": "native",
            "compilation": "none",
            **self._standing.fields(spec),
        }
        self._fill({name: str(value) for name, value in defaults.items()})
        if not self.chosen.takes_image:
            self._set_image(None)
            self._set_video(None)
        self._set_size(spec.size)
        self._set_video(self._continues)

    async def _stand(self) -> None:
        """Take the defaults as they are kept now, for the next model that is chosen."""
        self._standing = await asyncio.to_thread(services().preferences.defaults)

    async def _apply(self, fields: dict[str, str]) -> None:
        """Fill the form from a preset; prompt, image and seed stay."""
        await self._stand()
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == fields.get("model"):
                self._choose(entry)
        self._fill(fields)
        self._set_video(self._continues)
        await self._judge()

    def _fill(self, values: dict[str, str]) -> None:
        for name in TEXT_FIELDS:
            if name in values and len(values[name]) <= LONGEST:
                setattr(self, name, values[name])
        self._show_loras()
        self._mark_choices()

    def _set_size(self, size: Size) -> None:
        self.width, self.height = str(size.width), str(size.height)
        self._mark_choices()

    def _mark_choices(self) -> None:
        """Which of the buttons the exact numbers amount to."""
        spec = self._spec()
        fps = choices.whole(self.fps) or spec.fps
        self.shapes = choices.shapes(spec)
        self.lengths = choices.lengths(spec, fps)
        self.length = next(
            (n for n in self.lengths
             if self.frames == str(choices.frames_for(spec, int(n.removesuffix(" s")), fps))), "",
        )  # fmt: skip
        width, height = choices.whole(self.width), choices.whole(self.height)
        if width and height:
            size = Size(width=width, height=height)
            self.shape = choices.shape_of(size)
            self.quality = choices.quality_of(size)
        self.qualities = choices.qualities(spec, self.shape)

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {name: getattr(self, name) for name in TEXT_FIELDS}
        fields["model"] = self.model
        if not self.chosen.two_experts:
            fields["guidance_low"] = None
        if self._image is not None and self.chosen.takes_image:
            fields["image"] = self._image
        if self._continues is not None and self.chosen.takes_image:
            fields["continues"] = self._continues
        if self._last_image is not None and self.chosen.takes_last_image:
            fields["last_image"] = self._last_image
        return fields

    async def _judge(self) -> None:
        """Ask the services what would happen now, and keep the draft."""
        fields = self._fields()
        verdict = await asyncio.to_thread(services().submission.check, person_of(self), fields)
        pristine = not self._touched and not self.prompt
        errors = {p.field: p.sentence() for p in reversed(verdict.problems) if p.field}
        if pristine:
            errors.pop("prompt", None)
        if self._image_fault:
            errors["image"] = self._image_fault
        if self._last_fault:
            errors["last_image"] = self._last_fault
        if errors != self.errors:
            self.errors = errors
        self.part_asked = any(p.code == "lora_partly" for p in verdict.problems)
        view = verdict_view(verdict, pristine=pristine)
        if not self.chosen.ready and self.chosen.key:
            view = await self._without_weights(view)
        if view != self.verdict:
            self.verdict = view
        length = await asyncio.to_thread(counted, person_of(self), self.model, self.prompt)
        if length != self.counted:
            self.counted = length
        self._frame()
        self._frame_last()
        typed = {name: getattr(self, name) for name in TEXT_FIELDS}
        await self._mark_speed(typed, verdict.device)
        self._keep_draft()

    async def _without_weights(self, view: VerdictView) -> VerdictView:
        """The verdict for a model that is not here, unless it has come since the list was read."""
        entries = await asyncio.to_thread(services().library.entries)
        come = [e for e in entries if e.spec.key == self.chosen.key and e.ready]
        if come:
            await self._open()
            self.chosen = choices.model_view(come[0])
            return view
        coming = await asyncio.to_thread(services().weights.on_their_way, self.chosen.key)
        return without_weights(view, f"{self.chosen.note} {self.chosen.cure}", coming=coming)

    def _keep_draft(self) -> None:
        texts = {name: getattr(self, name) for name in TEXT_FIELDS}
        form = Unsent(self.model, texts, self._image, self._last_image, self._continues)
        draft = unsent.written(form)
        if draft != self.draft:
            self.draft = draft

    def _restore(self, draft: str) -> None:
        """Take what the browser has kept, if its model is one of ours."""
        form = unsent.read(draft, TEXT_FIELDS)
        found = (e for e in services().library.entries() if e.spec.key == form.model)
        if (entry := next(found, None)) is None:
            return
        self._choose(entry)
        self._fill(dict(form.texts))
        self._set_image(form.image)
        self._set_last(form.last_image)
        self._set_video(form.continues if self.chosen.takes_image else None)

    def _show(self, error: UserError) -> None:
        """Problems of fields stand beside them, the rest above the button."""
        self.errors = {p.field: p.sentence() for p in error.problems if p.field}
        self.verdict = VerdictView("bad", problems_text(error.problems), self.verdict.made)
