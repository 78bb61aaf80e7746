"""The generation form: fields, choices, verdict, submission."""

import asyncio
import json
import secrets
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.catalog import CATALOG, ModelEntry, ModelSpec, Size
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import MAX_SEED, ImageRef
from wan22_app.web import choices, words
from wan22_app.web.choices import ModelView
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.stage import StageState
from wan22_app.web.urls import image_url
from wan22_app.web.verdict import VerdictView, verdict_view

TEXT_FIELDS = (
    "prompt", "negative_prompt", "width", "height", "frames", "fps", "steps", "guidance",
    "guidance_low", "shift", "seed", "precision", "offload", "tile", "lora", "lora_strength",
)  # fmt: skip
LONGEST = 5000
UPLOAD_ID = "start-image"


class FormState(rx.State):
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
    seed: str = ""
    precision: str = "bf16"
    offload: str = "auto"
    tile: str = "auto"
    lora: str = ""
    lora_strength: str = "1.0"
    image_sha256: str = ""
    image_width: int = 0
    image_height: int = 0
    image_src: str = ""

    models: list[ModelView] = []
    chosen: ModelView = ModelView()
    loras: list[str] = []
    shapes: list[str] = []
    qualities: list[str] = []
    lengths: list[str] = []
    shape: str = ""
    quality: str = ""
    length: str = ""
    errors: dict[str, str] = {}
    verdict: VerdictView = VerdictView()
    key: str = ""
    sending: bool = False
    draft: str = rx.LocalStorage("", name="wan22_draft")
    _touched: bool = False

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Fill the lists, and the form from the draft that the browser kept."""
        entries = await asyncio.to_thread(services().library.entries)
        ready_first = sorted(entries, key=lambda entry: not entry.ready)
        self.models = [choices.model_view(entry) for entry in ready_first]
        self.loras = list(await asyncio.to_thread(services().library.loras))
        self.key = self.key or secrets.token_hex(16)
        if not self.model:
            self._choose(next(iter(ready_first)))
            self._restore(self.draft)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def change(self, name: str, value: str) -> None:
        """A field was typed into or chosen."""
        if name not in TEXT_FIELDS or not isinstance(value, str) or len(value) > LONGEST:
            return
        setattr(self, name, "" if name == "lora" and value == words.LORA_NONE else value)
        self._touched = self._touched or name == "prompt"
        self._mark_choices()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_model(self, key: str) -> None:
        """Another model brings its own defaults; prompt, image and seed stay."""
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
        seconds = str(length).removesuffix(" s")
        if seconds.isdigit():
            fps = int(self.fps) if self.fps.isdigit() else self._spec().fps
            self.frames = str(choices.frames_for(self._spec(), int(seconds), fps))
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
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == self.model:
                self._choose(entry)
        self.seed, self.lora, self.lora_strength = "", "", "1.0"
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def take_image(self, files: list[rx.UploadFile]) -> Any:
        """Send the image through the gate; the form keeps only its hash."""
        if not files:
            return None
        data = await files[0].read()
        try:
            image = await asyncio.to_thread(services().images.accept, data)
        except UserError as error:
            self._set_image(None)
            await self._judge()
            self.errors = {**self.errors, "image": error.problem.sentence()}
            return rx.clear_selected_files(UPLOAD_ID)
        self._set_image(image)
        await self._judge()
        return rx.clear_selected_files(UPLOAD_ID)

    @rx.event
    @policy(Policy.PERSON)
    async def drop_image(self) -> None:
        """Go on without an image."""
        self._set_image(None)
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
            await asyncio.to_thread(
                services().submission.submit, person_of(self), self._fields(), key
            )
        except UserError as error:
            self._show(error)
        else:
            self.key = secrets.token_hex(16)
            await self._judge()
            yield [StageState.follow, rx.toast.success(words.QUEUED)]
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
        for entry in await asyncio.to_thread(services().library.entries):
            if entry.spec.key == job.request.model:
                self._choose(entry)
        values = job.request.model_dump(exclude={"model", "image", "loras"})
        self._fill({name: "" if v is None else str(v) for name, v in values.items()})
        self._set_image(job.request.image)
        lora = next(iter(job.request.loras), None)
        self.lora, self.lora_strength = (lora.file, str(lora.strength)) if lora else ("", "1.0")
        await self._judge()

    # Shared steps

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
            "precision": spec.precision,
            "offload": "auto",
            "tile": "auto",
        }
        self._fill({name: str(value) for name, value in defaults.items()})
        if not self.chosen.takes_image:
            self._set_image(None)
        self._set_size(spec.size)

    def _fill(self, values: dict[str, str]) -> None:
        for name in TEXT_FIELDS:
            if name in values and len(values[name]) <= LONGEST:
                setattr(self, name, values[name])
        self._mark_choices()

    def _set_size(self, size: Size) -> None:
        self.width, self.height = str(size.width), str(size.height)
        self._mark_choices()

    def _set_image(self, image: ImageRef | None) -> None:
        self.image_sha256 = image.sha256 if image else ""
        self.image_width = image.width if image else 0
        self.image_height = image.height if image else 0
        self.image_src = image_url(image.sha256) if image else ""

    def _mark_choices(self) -> None:
        """Which of the buttons the exact numbers amount to."""
        spec = self._spec()
        fps = int(self.fps) if self.fps.isdigit() and int(self.fps) > 0 else spec.fps
        self.shapes = choices.shapes(spec)
        self.lengths = choices.lengths(spec, fps)
        self.length = next(
            (n for n in self.lengths
             if self.frames == str(choices.frames_for(spec, int(n.removesuffix(" s")), fps))), "",
        )  # fmt: skip
        if self.width.isdigit() and self.height.isdigit() and int(self.height) * int(self.width):
            size = Size(width=int(self.width), height=int(self.height))
            self.shape = choices.shape_of(size)
            self.quality = choices.quality_of(size)
        self.qualities = choices.qualities(spec, self.shape)

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {name: getattr(self, name) for name in TEXT_FIELDS}
        fields["model"] = self.model
        if not self.chosen.two_experts:
            fields["guidance_low"] = None
        if self.image_sha256 and self.chosen.takes_image:
            fields["image"] = ImageRef(
                sha256=self.image_sha256, width=self.image_width, height=self.image_height
            )
        return fields

    async def _judge(self) -> None:
        """Ask the services what would happen now, and keep the draft."""
        fields = self._fields()
        verdict = await asyncio.to_thread(services().submission.check, person_of(self), fields)
        pristine = not self._touched and not self.prompt
        errors = {p.field: p.sentence() for p in reversed(verdict.problems) if p.field}
        if pristine:
            errors.pop("prompt", None)
        if errors != self.errors:
            self.errors = errors
        view = verdict_view(verdict, pristine=pristine)
        if not self.chosen.ready and self.chosen.key:
            view = VerdictView("bad", f"{self.chosen.note} {self.chosen.cure}", view.made)
        if view != self.verdict:
            self.verdict = view
        self._keep_draft()

    def _keep_draft(self) -> None:
        image = [self.image_sha256, self.image_width, self.image_height]
        values = {name: getattr(self, name) for name in TEXT_FIELDS}
        draft = json.dumps({"model": self.model, "image": image, **values})
        if draft != self.draft:
            self.draft = draft

    def _restore(self, draft: str) -> None:
        """The browser's own words, so anything may be in there: take what fits, skip the rest."""
        try:
            values = json.loads(draft or "{}")
            key = values.get("model")
            entry = next((e for e in services().library.entries() if e.spec.key == key), None)
            if entry is None:
                return
            self._choose(entry)
            texts = {n: v for n, v in values.items() if n in TEXT_FIELDS and isinstance(v, str)}
            self._fill(texts)
            sha256, width, height = values.get("image") or ("", 0, 0)
            if sha256:
                self._set_image(ImageRef(sha256=sha256, width=width, height=height))
        except (ValueError, TypeError, AttributeError):
            return

    def _show(self, error: UserError) -> None:
        """Problems of fields stand beside them, the rest above the button."""
        self.errors = {p.field: p.sentence() for p in error.problems if p.field}
        general = [p.sentence() for p in error.problems if p.field in ("", "model")]
        text = " ".join(general) or words.FIX_FIELDS
        self.verdict = VerdictView("bad", text, self.verdict.made)
