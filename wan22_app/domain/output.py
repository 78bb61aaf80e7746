"""A finished video and the recipe to make it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field

from wan22_app.domain.attention import BACKENDS
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.picture import LONGEST_SIDE
from wan22_app.domain.plan import MemoryPlan, Placement
from wan22_app.domain.values import Value

LIBRARIES = ("torch", "diffusers", "transformers")
"""What always computes: another version of one may round otherwise."""
SOMETIMES = (
    "peft",
    "torchao",
    "gguf",
    *(each.package for each in BACKENDS.values() if each.package),
)
"""What computes where a request wants it."""
RECIPE_KEY = "wan22_recipe"
"""Name of the mp4 metadata entry that holds the recipe as JSON."""


def _could_be_shown(request: GenerationRequest) -> GenerationRequest:
    """A file may claim anything, and numbers of hundreds of digits cannot even be divided."""
    if max(request.width, request.height, request.frames) > LONGEST_SIDE:
        raise ValueError("no video is that large")
    return request


PREDICTIONS = set(MemoryPlan.model_fields) - set(Placement.model_fields)


def _without_predictions(value: object) -> object:
    """Older videos tell the whole plan."""
    if not isinstance(value, Mapping):
        return value
    fields = cast(Mapping[str, object], value)
    return {name: field for name, field in fields.items() if name not in PREDICTIONS}


def computing(request: GenerationRequest, where: Placement, *, packed: bool) -> tuple[str, ...]:
    """The packages whose versions decide about a video's numbers; ``packed``: GGUF weights."""
    quantized = (where.quantization, where.text_quantization) != ("none", "none")
    package = BACKENDS[where.attention].package
    used = {"peft": bool(request.loras), "torchao": quantized, "gguf": packed, package: package}
    return (*LIBRARIES, *(name for name in SOMETIMES if used.get(name)))


class Recipe(Value):
    """Everything needed to make an output again; embedded in the mp4 itself.

    ``revision`` identifies the weights (a hash of their files' names and sampled contents);
    ``versions`` maps the app and what computed (see ``computing``) to their versions. ``asked`` is
    what was asked for, where memory ran out and a lighter request was allowed; ``parent`` is the
    job that this was another try of, empty for none. Nothing in it differs when the same is made
    again, such as times: equal videos are equal files.
    """

    format: int = 1
    demo: bool
    request: Annotated[GenerationRequest, AfterValidator(_could_be_shown)]
    plan: Annotated[Placement, BeforeValidator(_without_predictions)]
    revision: str
    latents_sha256: str
    versions: dict[str, str]
    device: str
    asked: GenerationRequest | None = None
    parent: str = ""


class Output(Value):
    """A published video. ``video`` and ``poster`` are file names inside the outputs folder.

    ``id`` equals the id of the job that made it: a job has at most one output. A deleted one lies
    in the bin until ``deleted_at`` is long enough ago. ``asked`` is what was asked for where the
    request that made it is a lighter one.
    """

    id: str
    owner: str
    request: GenerationRequest
    video: str
    poster: str
    width: int
    height: int
    frames: int
    fps: int
    bytes: int
    sha256: str
    latents_sha256: str
    seconds: dict[str, float]
    asked: GenerationRequest | None = None
    created_at: datetime
    favourite: bool = False
    deleted_at: datetime | None = None

    @property
    def length(self) -> float:
        """Playing time in seconds."""
        return self.frames / self.fps

    @property
    def place(self) -> "Place":
        """Where it stands in the order of all outputs."""
        return Place(created_at=self.created_at, id=self.id)


class Place(Value):
    """A place in the order of outputs. The id settles what two equal times leave open."""

    created_at: datetime
    id: str


class OutputQuery(Value):
    """Which outputs are meant; the default means all that are not in the bin.

    Every word of ``words`` must occur in the prompt, in any case and order. ``model`` empty: any.
    ``binned`` asks for the bin instead of the gallery.
    """

    words: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=80)
    favourites: bool = False
    binned: bool = False


EVERYTHING = OutputQuery()
