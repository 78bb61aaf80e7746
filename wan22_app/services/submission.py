"""From a filled-in form to a queued job."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wan22_app.domain import drafts, loras
from wan22_app.domain.account import Person
from wan22_app.domain.attention import attention_refusal
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.compilation import compilation_refusal
from wan22_app.domain.defaults import GenerationDefaults
from wan22_app.domain.errors import (
    InvalidRequest,
    ModelUnavailable,
    Problem,
    UserError,
)
from wan22_app.domain.estimate import estimate_stages, of_draft, seconds
from wan22_app.domain.generation import MAX_SEED, GenerationRequest, Geometry, geometry
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import Device, MemoryPlan, WontFit
from wan22_app.domain.quantization import device_refusal
from wan22_app.domain.values import Value
from wan22_app.ports import (
    Bell,
    DownloadStore,
    Images,
    JobStore,
    Library,
    NewJob,
    OutputFiles,
    OutputStore,
    Secrets,
    Videos,
)
from wan22_app.services.planning import Planning

DRAFT = "Queued as a draft: {step} of {all} steps."
BATCH = "{} of {} that differ in their seed."
ONE = {"count": "", "drafts": ""}
"""Fields that make one whole video of a form."""
MOST_AT_ONCE = 16
"""Videos of one form."""


class Verdict(Value):
    """What would happen if this form were submitted now.

    ``problems`` belong to fields and forbid submission; ``wont_fit`` says that the machine is too
    small. ``seconds`` is this machine's own experience, None without any.
    """

    problems: tuple[Problem, ...] = ()
    made: Geometry | None = None
    plan: MemoryPlan | None = None
    wont_fit: WontFit | None = None
    device: Device
    seconds: float | None = None

    @property
    def accepted(self) -> bool:
        """True when a submission would be queued."""
        return not self.problems and self.wont_fit is None


@dataclass(frozen=True)
class Stores:
    """The rows that a submission reads and writes."""

    jobs: JobStore
    outputs: OutputStore
    downloads: DownloadStore


@dataclass(frozen=True)
class Surroundings:
    """What a submission asks of the machine, and the defaults that were changed on it."""

    library: Library
    images: Images
    videos: Videos
    files: OutputFiles
    planning: Planning
    bell: Bell
    secrets: Secrets
    defaults: Callable[[], GenerationDefaults] = GenerationDefaults


class Submission:
    """Checks rights, limits and memory, then queues. The row exists before anything is shown."""

    def __init__(self, stores: Stores, around: Surroundings, most_waiting: int):
        self._stores = stores
        self._around = around
        self._most_waiting = most_waiting

    def check(self, person: Person, fields: Mapping[str, object]) -> Verdict:
        """Judge a form without queueing it; never raises UserError."""
        planning = self._around.planning
        try:
            entry, request = self._request(fields)
            until = until_of(fields, request)
        except UserError as error:
            return Verdict(problems=error.problems, device=planning.probe.device())
        machine = planning.machine(entry.spec)
        unable = _unable(request, machine.device)
        if unable is not None:
            return Verdict(problems=(unable,), device=machine.device)
        plan = plan_memory(entry.spec, request, *machine)
        experience = self._stores.outputs.experience({entry.spec.key})
        stages = estimate_stages(entry.spec, request, experience)
        if stages is not None and until:
            stages = of_draft(stages, until, request.steps)
        return Verdict(
            made=geometry(entry.spec, request),
            plan=plan if isinstance(plan, MemoryPlan) else None,
            wont_fit=plan if isinstance(plan, WontFit) else None,
            device=machine.device,
            seconds=None if stages is None else seconds(stages, cold=False),
        )

    def submit(
        self, person: Person, fields: Mapping[str, object], key: str, *, first: bool = False
    ) -> Job:
        """Queue a job and wake the dispatcher; the same key of a person is the same job.

        ``first`` puts it before the person's own waiting jobs, and before nobody else's.
        Raises InvalidRequest, ModelUnavailable, QuotaReached, or UserError when the outputs
        folder cannot be written.
        """
        return self.submit_batch(person, {**fields, **ONE}, key, first=first)[0]

    def submit_batch(
        self, person: Person, fields: Mapping[str, object], key: str, *, first: bool = False
    ) -> Sequence[Job]:
        """Queue as many jobs as the field ``count`` says, all or none, one seed after the other.

        The first has the seed that was asked for, or a random one. With the field ``drafts`` they
        are drafts. Raises as ``submit``.
        """
        entry, request = self._request(fields)
        until = until_of(fields, request)
        queued = DRAFT.format(step=until, all=request.steps) if until else "Queued."
        seeds = [(request.seed + more) % (MAX_SEED + 1) for more in range(count_of(fields))]
        news = [
            NewJob(
                request=request.model_copy(update={"seed": seed}),
                key=key if number == 1 else f"{key}-{number}",
                first=first,
                until=until,
                told=queued if len(seeds) == 1 else f"{queued} {BATCH.format(number, len(seeds))}",
            )
            for number, seed in enumerate(seeds, 1)
        ]
        return self._queue(person, entry, news)

    def enqueue(self, person: Person, new: NewJob) -> Job:
        """Queue what was judged before, if this machine can still make it. Raises as ``submit``."""
        return self._queue(person, self._around.library.entry(new.request.model), [new])[0]

    def _queue(self, person: Person, entry: ModelEntry, news: Sequence[NewJob]) -> Sequence[Job]:
        self._require_room(entry, news[0].request)
        jobs = self._stores.jobs.add_all(person, news, self._most_waiting)
        if any(job.state is JobState.QUEUED for job in jobs):
            self._around.bell.ring()
        return jobs

    def _require_room(self, entry: ModelEntry, request: GenerationRequest) -> None:
        """Refuse now what could only fail at night: no weights, no space, not enough memory."""
        # A job may wait for weights that are on their way, but not for a wish nobody made.
        if not entry.ready and not self._stores.downloads.is_wanted(entry.spec.key):
            raise ModelUnavailable(
                Problem(
                    code=f"weights_{entry.state}",
                    what=entry.problem,
                    cure=entry.cure,
                    field="model",
                )
            )
        for image in filter(None, (request.image, request.last_image)):
            self._around.images.path(image)
        if request.continues is not None:
            self._around.videos.kept(request.continues)
        self._around.files.check_writable()
        machine = self._around.planning.machine(entry.spec)
        unable = _unable(request, machine.device)
        if unable is not None:
            raise InvalidRequest(unable)
        plan = plan_memory(entry.spec, request, *machine)
        if isinstance(plan, WontFit):
            raise InvalidRequest(wont_fit_problem(plan))

    def _request(self, fields: Mapping[str, object]) -> tuple[ModelEntry, GenerationRequest]:
        """The entry and the validated request behind raw form fields."""
        values = dict(fields)
        count_of(values)
        for name in ONE:
            values.pop(name, None)
        entry = self._around.library.entry(str(values.pop("model", "")))
        values["loras"] = tuple(
            self._around.library.check_lora(entry, ref)
            for ref in loras.references(
                loras.choices(str(values.pop("loras", None) or "")), self._around.library.loras()
            )
        )
        given = {name: value for name, value in values.items() if value not in (None, "")}
        emptied = {name: value for name, value in values.items() if name not in given}
        values = {**emptied, **self._around.defaults().fields(entry.spec), **given}
        request = GenerationRequest.build(entry.spec, values, self._around.secrets.seed())
        self._check_length(entry, request)
        return entry, request

    def _check_length(self, entry: ModelEntry, request: GenerationRequest) -> None:
        """The pipeline would cut a long prompt silently; refuse it with the count instead."""
        for field in ("prompt", "negative_prompt"):
            tokens = self._around.library.tokens(entry, getattr(request, field))
            limit = entry.spec.text_length
            if tokens is not None and tokens > limit:
                raise InvalidRequest(
                    Problem(
                        code="text_too_long",
                        what=f"This text is {tokens} tokens long; {entry.spec.name} reads {limit}.",
                        cure="Shorten it.",
                        field=field,
                    )
                )


def count_of(fields: Mapping[str, object]) -> int:
    """How many videos a form asks for; blank is one. Raises InvalidRequest."""
    text = str(fields.get("count") or "1").strip()
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST_AT_ONCE:
        return int(text)
    raise InvalidRequest(
        Problem(
            code="bad_count",
            what=f"The number of videos cannot be “{text[:20]}”.",
            cure=f"Use 1 to {MOST_AT_ONCE}.",
            field="count",
        )
    )


def until_of(fields: Mapping[str, object], request: GenerationRequest) -> int:
    """After which step the jobs of a form end as drafts; 0 for whole videos. Raises InvalidRequest
    where a draft would be the whole."""
    return drafts.last_step(request.steps) if str(fields.get("drafts")) == "True" else 0


def _unable(request: GenerationRequest, device: Device) -> Problem | None:
    """What this machine cannot compute."""
    return (
        device_refusal(request.quantization, device)
        or attention_refusal(request.attention, request.precision, device)
        or compilation_refusal(request.compilation, device)
    )


def wont_fit_problem(short: WontFit) -> Problem:
    """Say in a sentence what is short and what would help."""
    memory = "The card's memory" if short.short_of == "vram" else "Main memory"
    needed, available = short.needed_bytes / 1e9, short.available_bytes / 1e9
    return Problem(
        code=f"wont_fit_{short.short_of}",
        what=f"{memory} is too small: about {needed:.1f} of {available:.1f} GB are needed.",
        cure=short.cure,
    )
