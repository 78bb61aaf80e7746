"""From a filled-in form to a queued job."""

from collections.abc import Mapping
from dataclasses import dataclass

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.errors import (
    Conflict,
    InvalidRequest,
    ModelUnavailable,
    Problem,
    UserError,
)
from wan22_app.domain.estimate import estimate_seconds
from wan22_app.domain.generation import GenerationRequest, Geometry, LoraRef, geometry
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.memory import Device, MemoryPlan, WontFit, plan_memory
from wan22_app.domain.values import Value
from wan22_app.ports import (
    Bell,
    Images,
    JobStore,
    Library,
    NewJob,
    OutputFiles,
    OutputStore,
    Probe,
    Secrets,
)

HISTORY = 50
"""Outputs looked at for the estimate of time."""


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


@dataclass(frozen=True)
class Surroundings:
    """What a submission asks of the machine."""

    library: Library
    images: Images
    files: OutputFiles
    probe: Probe
    bell: Bell
    secrets: Secrets


class Submission:
    """Checks rights, limits and memory, then queues. The row exists before anything is shown."""

    def __init__(self, stores: Stores, around: Surroundings, most_waiting: int):
        self._stores = stores
        self._around = around
        self._most_waiting = most_waiting

    def check(self, person: Person, fields: Mapping[str, object]) -> Verdict:
        """Judge a form without queueing it; never raises UserError."""
        device = self._around.probe.device()
        try:
            entry, request = self._request(fields)
        except UserError as error:
            return Verdict(problems=error.problems, device=device)
        plan = plan_memory(entry.spec, request, device, self._around.probe.host())
        history = self._stores.outputs.page(person, limit=HISTORY)
        return Verdict(
            made=geometry(entry.spec, request),
            plan=plan if isinstance(plan, MemoryPlan) else None,
            wont_fit=plan if isinstance(plan, WontFit) else None,
            device=device,
            seconds=estimate_seconds(entry.spec, request, history),
        )

    def submit(self, person: Person, fields: Mapping[str, object], key: str) -> Job:
        """Queue a job and wake the dispatcher; the same key of a person is the same job.

        Raises InvalidRequest, ModelUnavailable, QuotaReached, or UserError when the outputs
        folder cannot be written.
        """
        entry, request = self._request(fields)
        return self._queue(person, entry, NewJob(request=request, key=key))

    def retry(self, person: Person, job_id: str, key: str) -> Job:
        """Queue a final job's request again as a new job with this one as its parent."""
        old = self._stores.jobs.get(person, job_id)
        if not old.state.final:
            raise Conflict(
                Problem(
                    code="not_final",
                    what="This job has not ended yet.",
                    cure="Cancel it first, or wait for it.",
                )
            )
        entry = self._around.library.entry(old.request.model)
        new = NewJob(request=old.request, key=key, parent_id=old.id)
        return self._queue(person, entry, new)

    def _queue(self, person: Person, entry: ModelEntry, new: NewJob) -> Job:
        self._require_room(entry, new.request)
        job = self._stores.jobs.add(person, new, self._most_waiting)
        if job.state is JobState.QUEUED:
            self._around.bell.ring()
        return job

    def _require_room(self, entry: ModelEntry, request: GenerationRequest) -> None:
        """Refuse now what could only fail at night: no weights, no space, not enough memory."""
        if not entry.ready:
            raise ModelUnavailable(
                Problem(
                    code=f"weights_{entry.state}",
                    what=entry.problem,
                    cure=entry.cure,
                    field="model",
                )
            )
        if request.image is not None:
            self._around.images.path(request.image)
        self._around.files.check_writable()
        probe = self._around.probe
        plan = plan_memory(entry.spec, request, probe.device(), probe.host())
        if isinstance(plan, WontFit):
            raise InvalidRequest(wont_fit_problem(plan))

    def _request(self, fields: Mapping[str, object]) -> tuple[ModelEntry, GenerationRequest]:
        """The entry and the validated request behind raw form fields."""
        values = dict(fields)
        entry = self._around.library.entry(str(values.pop("model", "")))
        ref = _lora(values)
        if ref is not None:
            values["loras"] = (self._around.library.check_lora(entry, ref),)
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


def wont_fit_problem(short: WontFit) -> Problem:
    """Say in a sentence what is short and what would help."""
    memory = "The card's memory" if short.short_of == "vram" else "Main memory"
    needed, available = short.needed_bytes / 1e9, short.available_bytes / 1e9
    return Problem(
        code=f"wont_fit_{short.short_of}",
        what=f"{memory} is too small: about {needed:.1f} of {available:.1f} GB are needed.",
        cure=short.cure,
    )


def _lora(values: dict[str, object]) -> LoraRef | None:
    """Take the LoRA's form fields out of ``values``; None when no file was chosen."""
    file = str(values.pop("lora", "") or "").strip()
    strength = values.pop("lora_strength", None)
    if not file:
        return None
    try:
        return LoraRef.model_validate(
            {"file": file, **({} if strength in (None, "") else {"strength": strength})}
        )
    except ValueError as error:
        raise InvalidRequest(
            Problem(
                code="bad_loras",
                what=f"The LoRA strength cannot be “{str(strength)[:40]}”.",
                cure="Use a number from -4 to 4.",
                field="lora_strength",
            )
        ) from error
