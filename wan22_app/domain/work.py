"""What an engine process is told, one JSON object a line on its standard input.

The end of the input means: stop everything and exit.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.values import Value


class Work(Value):
    """Everything an engine needs for one run. Paths are absolute.

    ``staging`` is an existing folder on the outputs' file system; the engine writes
    ``<job_id>.<epoch>.<kind>.part`` there and nothing else: ``mp4``, ``webp``, and ``preview`` with
    ``next`` on its way.
    ``image``, ``last_image``, ``continues`` and ``loras`` are the files behind the request's
    references, in its order. ``latents`` is where the engine keeps what it has computed, and looks
    for what an earlier run of the job has; it removes nothing there. A draft ends after step
    ``until``, 0 means a whole video. ``asked`` and ``parent`` are told in the recipe.
    """

    job_id: str
    epoch: int
    request: GenerationRequest
    plan: MemoryPlan
    entry: ModelEntry
    staging: str
    image: str = ""
    last_image: str = ""
    continues: str = ""
    loras: tuple[str, ...] = ()
    latents: str
    until: int = 0
    asked: GenerationRequest | None = None
    parent: str = ""
    app_version: str


class Run(Value):
    """Begin this work. Never sent while another run is under way."""

    type: Literal["run"] = "run"
    work: Work


class Cancel(Value):
    """Stop this job's run within one transformer block. Ignored for any other job."""

    type: Literal["cancel"] = "cancel"
    job_id: str


class Exit(Value):
    """Free everything and end with exit code 0, as after the idle time."""

    type: Literal["exit"] = "exit"


Command = Annotated[Run | Cancel | Exit, Field(discriminator="type")]
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def parse_command(line: str | bytes) -> Command:
    """Read one line of an engine's input; raises pydantic's ValidationError."""
    return _COMMAND.validate_json(line)
