"""What a person asks for: one validated, frozen value, and how it meets a model's limits."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from wan22_app.domain.catalog import (
    Attention,
    Compilation,
    ImageUse,
    ModelSpec,
    Precision,
    Quantization,
    TextQuantization,
    VaePrecision,
)
from wan22_app.domain.continuation import VideoRef, tails
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.fields import (
    FIELD_NAMES,
    LONGEST_NAME,
    MAX_LORAS,
    MOST_STRENGTH,
    problems_of,
    shown,
)
from wan22_app.domain.picture import LONGEST_SIDE, Background, ImageSource, Share
from wan22_app.domain.quantization import packed_refusals, type_refusals
from wan22_app.domain.values import Value

PROMPT_LIMIT = 2000
"""Characters. The model's own limit is in tokens and is checked with its tokenizer."""
MAX_SEED = 2**32 - 1
MAX_STEPS = 200

Sampler = Literal["unipc", "euler"]
OffloadChoice = Literal["auto", "none", "model", "block"]
KeepChoice = Literal["auto", "all", "one"]
TileChoice = Literal["auto"] | Annotated[int, Field(ge=64, le=1024, multiple_of=16)]
ChunkChoice = Literal["auto"] | Annotated[int, Field(ge=256, le=65536)]


def _plain_text(text: str) -> str:
    """Normalise to NFC and plain line ends; refuse what no tokenizer was trained on."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", text).strip()
    bad = [c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"]
    if bad:
        raise ValueError(f"control character U+{ord(bad[0]):04X}")
    return text


def _not_bool(value: object) -> object:
    """Refuse true and false where a number is meant: pydantic would read them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


# The limit is checked after normalising, which can lengthen a text: a row that was accepted
# must pass the same check whenever it is read again.
Text = Annotated[str, AfterValidator(_plain_text), Field(max_length=PROMPT_LIMIT)]
Words = Annotated[Text, Field(min_length=1)]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Real = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]


class ImageRef(Value):
    """A start image that has passed the gate; ``sha256`` names its PNG in the uploads folder.

    The focus says which part is kept when its shape is not the asked one: 0 is left or top, 1 is
    right or bottom. ``original`` names the picture with its transparency, empty when it has none;
    ``background`` is what lies behind it. Jobs from before these fields have their defaults.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(gt=0, le=LONGEST_SIDE)
    height: int = Field(gt=0, le=LONGEST_SIDE)
    focus_x: Share = 0.5
    focus_y: Share = 0.5
    original: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    background: Background = "black"
    source: ImageSource | None = None

    @property
    def focus(self) -> tuple[float, float]:
        """Which part is kept, along both axes."""
        return self.focus_x, self.focus_y


class LoraRef(Value):
    """A LoRA file under ``loras/`` with its strength.

    ``sha256`` and ``weights``, how many numbers of it are used, are filled in at submission.
    ``partly`` is the consent to use what fits of a file that the model has no place for in whole.
    """

    file: str = Field(min_length=1, max_length=LONGEST_NAME)
    strength: Real = Field(default=1.0, ge=-MOST_STRENGTH, le=MOST_STRENGTH)
    expert: Literal["high", "low", "both"] = "both"
    partly: bool = False
    sha256: str = ""
    weights: int = Field(default=0, ge=0)


class GenerationRequest(Value):
    """The frozen parameters of one generation.

    ``guidance`` belongs to the high-noise expert (or the only one), ``guidance_low`` to the
    low-noise expert; guidance is off for both at 1 or below. ``may_reduce`` is the consent to less
    (see ``lighter``) where memory runs out. ``seed`` is always a number here:
    an empty field was replaced by a random one when the request was built. Width, height and
    frames are what the person gets; ``geometry`` says what the model makes. ``last_image`` is how
    the video ends, beside an ``image`` with which it begins. ``continues`` is in the image's place:
    the video's pictures come first, and of ``frames`` those that are given are not made anew.
    ``step_cache`` is the relative change of a prediction up to which a step takes the one before
    again; 0 computes each.
    """

    model: str
    prompt: Words
    negative_prompt: Text = ""
    image: ImageRef | None = None
    last_image: ImageRef | None = None
    continues: VideoRef | None = None
    width: Whole = Field(gt=0)
    height: Whole = Field(gt=0)
    frames: Whole = Field(gt=0)
    fps: Whole = Field(ge=1, le=60)
    steps: Whole = Field(ge=1, le=MAX_STEPS)
    guidance: Real = Field(ge=0.0, le=30.0)
    guidance_low: Real | None = Field(default=None, ge=0.0, le=30.0)
    shift: Real = Field(gt=0.0, le=30.0)
    sampler: Sampler = "unipc"
    step_cache: Real = Field(default=0.0, ge=0.0, le=1.0)
    seed: Whole = Field(ge=0, le=MAX_SEED)
    precision: Precision
    vae_precision: VaePrecision = "fp32"
    quantization: Quantization = "none"
    text_quantization: TextQuantization = "none"
    attention: Attention = "native"
    compilation: Compilation = "none"
    offload: OffloadChoice = "auto"
    keep: KeepChoice = "auto"
    tile: TileChoice = "auto"
    chunk: ChunkChoice = "auto"
    may_reduce: bool = False
    loras: tuple[LoraRef, ...] = Field(default=(), max_length=MAX_LORAS)

    @property
    def begins_with_pictures(self) -> bool:
        """Whether the first frames are given, of an image or of a video."""
        return self.image is not None or self.continues is not None

    @classmethod
    def build(cls, spec: ModelSpec, fields: Mapping[str, object], seed: int) -> Self:
        """Validate form or command-line fields against a model; blanks take the model's defaults.

        ``seed`` is used where the field is blank. Raises InvalidRequest with one Problem per
        refused field.
        """
        given = {name: value for name, value in fields.items() if not _blank(name, value)}
        values = {**defaults(spec), "seed": seed, **given, "model": spec.key}
        try:
            request = cls.model_validate(values)
        except ValidationError as error:
            raise InvalidRequest.of(problems_of(error)) from None
        refused = list(refusals(spec, request))
        if refused:
            raise InvalidRequest.of(refused)
        return request


def _blank(name: str, value: object) -> bool:
    """An empty field means the default; an emptied negative prompt means none at all."""
    if name == "negative_prompt":
        return value is None
    return value is None or (isinstance(value, str) and not value.strip() and name != "prompt")


def defaults(spec: ModelSpec) -> dict[str, object]:
    """The official values of a model for every field that has one."""
    return {
        "prompt": "",
        "negative_prompt": spec.negative_prompt,
        "width": spec.size.width,
        "height": spec.size.height,
        "frames": spec.frames,
        "fps": spec.fps,
        "steps": spec.steps,
        "guidance": spec.guidance,
        "guidance_low": spec.guidance_low,
        "shift": spec.shift,
        "precision": spec.precision,
    }


def refusals(spec: ModelSpec, request: GenerationRequest) -> Iterator[Problem]:
    """Everything in the request that this model cannot do, one Problem per field."""
    yield from _size_refusals(spec, request)
    if request.frames > spec.max_frames:
        yield Problem(
            code="bad_frames",
            what=f"{spec.name} makes at most {spec.max_frames} frames.",
            cure=f"Use {spec.max_frames} or fewer.",
            field="frames",
        )
    if spec.image is ImageUse.REQUIRED and not request.begins_with_pictures:
        yield Problem(
            code="image_needed",
            what=f"{spec.name} starts from an image.",
            cure="Drop one on the image field, or choose a model that needs only text.",
            field="image",
        )
    if spec.image is ImageUse.NONE and request.image is not None:
        yield Problem(
            code="image_not_taken",
            what=f"{spec.name} takes no image.",
            cure="Remove the image, or choose a model that takes one.",
            field="image",
        )
    yield from _last_image_refusals(spec, request)
    yield from _continuation_refusals(spec, request)
    if spec.experts == 1 and request.guidance_low is not None:
        yield Problem(
            code="bad_guidance_low",
            what=f"{spec.name} has one expert, so there is no second guidance.",
            cure="Leave the field empty.",
            field="guidance_low",
        )
    yield from _lora_refusals(spec, request.loras)
    yield from packed_refusals(spec, request.quantization)
    yield from type_refusals(request.quantization, request.text_quantization, request.precision)


def _last_image_refusals(spec: ModelSpec, request: GenerationRequest) -> Iterator[Problem]:
    if request.last_image is None:
        return
    surplus = (request.frames - 1) % spec.temporal
    if not spec.takes_last_image:
        yield Problem(
            code="last_image_not_taken",
            what=f"{spec.name} takes no last image.",
            cure="Remove it, or choose an I2V model.",
            field="last_image",
        )
    elif surplus:
        # The picture is given for the last frame that is made, and surplus ones are dropped.
        yield Problem(
            code="last_image_length",
            what=f"With a last image, {spec.name} cannot make {request.frames} frames.",
            cure=f"Use {request.frames - surplus} or {request.frames - surplus + spec.temporal}.",
            field="frames",
        )


def _continuation_refusals(spec: ModelSpec, request: GenerationRequest) -> Iterator[Problem]:
    video = request.continues
    if video is None:
        return
    made, asked = (video.width, video.height, video.fps), (
        request.width, request.height, request.fps,
    )  # fmt: skip
    if spec.image is ImageUse.NONE:
        yield Problem(
            code="continues_not_taken",
            what=f"{spec.name} cannot go on from a video.",
            cure="Choose a model that takes an image.",
            field="continues",
        )
    elif request.image is not None:
        yield Problem(
            code="continues_and_image",
            what="A video goes on from another one or from an image, not from both.",
            cure="Remove one of them.",
            field="continues",
        )
    elif made != asked:
        yield Problem(
            code="continues_otherwise",
            what=f"The video it goes on from has {made[0]}×{made[1]} at {made[2]} frames a second.",
            cure="Use the same size and rate.",
            field="continues",
        )
    elif video.tail not in tails(video.frames) or video.tail >= request.frames:
        yield Problem(
            code="continues_tail",
            what=f"{video.tail} frames cannot be given for {request.frames} of a new video.",
            cure="Make it longer, or give fewer frames of the one before.",
            field="continues",
        )


def _lora_refusals(spec: ModelSpec, loras: tuple[LoraRef, ...]) -> Iterator[Problem]:
    files = [(ref.file, ref.expert) for ref in loras]
    if len(set(files)) < len(files):
        yield Problem(
            code="lora_twice",
            what="One LoRA is on the list twice.",
            cure="Take one of them off, and raise the other's strength.",
            field="loras",
        )
    elif spec.experts == 1 and any(ref.expert != "both" for ref in loras):
        yield Problem(
            code="lora_pair",
            what=f"That LoRA is a pair for two experts; {spec.name} has one.",
            cure="Choose a single file.",
            field="loras",
        )


def _size_refusals(spec: ModelSpec, request: GenerationRequest) -> Iterator[Problem]:
    sides = (("width", request.width), ("height", request.height))
    outside = [side for side in sides if not spec.min_side <= side[1] <= spec.max_side]
    for field, length in outside:
        yield Problem(
            code=f"bad_{field}",
            what=f"{FIELD_NAMES[field]} {shown(length)} is outside what {spec.name} makes.",
            cure=f"Use {spec.min_side} to {spec.max_side}.",
            field=field,
        )
    odd = [side for side in sides if side[1] % 2 and side not in outside]
    for field, length in odd:
        yield Problem(
            code=f"bad_{field}",
            what=f"{FIELD_NAMES[field]} {length} is odd.",
            cause="H.264 stores colour for pairs of pixels.",
            cure=f"Use {length - 1} or {length + 1}.",
            field=field,
        )
    if not (outside or odd) and request.width * request.height > spec.max_pixels:
        yield Problem(
            code="too_many_pixels",
            what=f"{request.width}×{request.height} is more than {spec.name} can draw.",
            cure=f"Choose a size of at most {spec.max_pixels / 1e6:.1f} megapixels.",
            field="width",
        )


class Geometry(Value):
    """What the model makes and what is cut out of it.

    The picture is cropped around its centre, surplus frames are dropped at the end.
    """

    width: int
    height: int
    frames: int
    left: int
    top: int
    crop_width: int
    crop_height: int
    keep_frames: int

    @property
    def cropped(self) -> bool:
        """True when the person gets less than the model makes."""
        return (self.width, self.height, self.frames) != (
            self.crop_width,
            self.crop_height,
            self.keep_frames,
        )


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def geometry(spec: ModelSpec, request: GenerationRequest) -> Geometry:
    """The next legal size and frame count (``temporal * k + 1``), and the crop back."""
    width, height = _up(request.width, spec.multiple), _up(request.height, spec.multiple)
    return Geometry(
        width=width,
        height=height,
        frames=_up(request.frames - 1, spec.temporal) + 1,
        left=(width - request.width) // 2,
        top=(height - request.height) // 2,
        crop_width=request.width,
        crop_height=request.height,
        keep_frames=request.frames,
    )
