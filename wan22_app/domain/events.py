"""What an engine process says, one JSON object a line. A closed vocabulary.

Every run ends with exactly one of Done, Drafted, Failed, Cancelled or Crashed. The engine itself
sends all but the last; Crashed is what an executor makes of a process that died without a verdict.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from wan22_app.domain.errors import Problem
from wan22_app.domain.values import Value


class Stage(StrEnum):
    """The stages of a run, in order. A run may skip LOADING (warm) and IMAGE (text only)."""

    LOADING = "loading"
    TEXT = "text"
    IMAGE = "image"
    DENOISING = "denoising"
    DECODING = "decoding"
    ENCODING = "encoding"


class Ready(Value):
    """The process is up and holds its slot's lock. Sent once, before any run."""

    type: Literal["ready"] = "ready"
    pid: int
    device: str
    versions: dict[str, str]


class Advanced(Value):
    """A stage began (``done`` 0) or went on: ``done`` of ``total`` units.

    Units are components (loading), prompts (text), steps (denoising), tiles or frames (decoding),
    frames (encoding). ``seconds`` is the time since the run started.
    """

    type: Literal["advanced"] = "advanced"
    job_id: str
    stage: Stage
    done: int
    total: int
    expert: Literal["", "high", "low"] = ""
    seconds: float


class Alive(Value):
    """The run computes: a block, a tile or some bytes since the last event. For the watchdog."""

    type: Literal["alive"] = "alive"
    job_id: str


class Resumed(Value):
    """An earlier run's latents were found. Sent at most once, before denoising.

    The run goes on after ``step`` of ``total`` steps; at ``total`` only decoding is left. ``step``
    is 0 when they may not be used: ``changed`` says what the numbers depended on and is different.
    """

    type: Literal["resumed"] = "resumed"
    job_id: str
    step: int
    total: int
    changed: tuple[str, ...] = ()


class Done(Value):
    """The video and poster lie in the staging folder as ``.part`` files.

    ``seconds`` is the duration of each stage by name; ``latents_sha256`` hashes the final latents
    (fp32, contiguous, CPU). ``peak_vram_bytes`` is what torch's allocator had reserved,
    ``peak_allocated_bytes`` what of it was in use, both 0 on the CPU. ``complete``: all
    parts of the model were in memory at their turn and all steps were made by this very run, so its
    peaks are those of its plan.
    """

    type: Literal["done"] = "done"
    job_id: str
    video: str
    poster: str
    width: int
    height: int
    frames: int
    fps: int
    latents_sha256: str
    seconds: dict[str, float]
    peak_vram_bytes: int = 0
    peak_allocated_bytes: int = 0
    peak_ram_bytes: int = 0
    complete: bool = False


class Drafted(Value):
    """A draft has come to its last step, and what it has computed is saved.

    ``preview`` is a small moving picture in the staging folder, a ``.part`` file.
    """

    type: Literal["drafted"] = "drafted"
    job_id: str
    preview: str
    step: int


class Failed(Value):
    """The run ended with a verdict; the process lives on unless ``fatal``.

    ``kind`` decides what happens next: ``request`` never works again as it is, ``memory`` may work
    with less, ``device`` may pass, ``weights`` and ``storage`` wait for somebody, ``internal`` is
    our fault.
    """

    type: Literal["failed"] = "failed"
    job_id: str
    kind: Literal["request", "memory", "device", "weights", "storage", "internal"]
    problem: Problem
    fatal: bool = False


class Cancelled(Value):
    """The run stopped as asked; the pipeline stays usable."""

    type: Literal["cancelled"] = "cancelled"
    job_id: str


class Crashed(Value):
    """The process is gone without a verdict. Never sent by an engine.

    ``exit_code`` is negative for a signal on POSIX, None where it is unknown. ``log`` holds the
    last lines of its log.
    """

    type: Literal["crashed"] = "crashed"
    job_id: str
    exit_code: int | None
    log: str


Event = Annotated[
    Ready | Advanced | Alive | Resumed | Done | Drafted | Failed | Cancelled | Crashed,
    Field(discriminator="type"),
]
Verdict = Done | Drafted | Failed | Cancelled | Crashed
_EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(cache_strings="keys"))


def parse_event(line: str | bytes) -> Event:
    """Read one line of an engine's output; raises pydantic's ValidationError."""
    return _EVENT.validate_json(line)
