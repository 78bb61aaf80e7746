"""A recipe as a list to read: what it is called, what it says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wan22_app.domain.attention import BACKENDS, NATIVE
from wan22_app.domain.catalog import DEMO_SPECS
from wan22_app.domain.compilation import NOTHING
from wan22_app.domain.generation import GenerationRequest, LoraRef
from wan22_app.domain.output import Output, Recipe
from wan22_app.domain.plan import Placement
from wan22_app.web import words
from wan22_app.web.urls import media_url
from wan22_app.web.views import clock, length_text, model_name, reduced

TITLE_LENGTH = 120
WIDE = 1.45
"""From here on a poster fills its tile; narrower ones are shown whole."""


@dataclass(frozen=True)
class RecipeLine:
    """One fact. ``code`` marks what is read letter by letter: hashes, versions."""

    name: str = ""
    value: str = ""
    code: bool = False


@dataclass(frozen=True)
class TileView:
    """A video in the grid; small, because hundreds are sent. ``reduced`` is mostly empty."""

    id: str = ""
    duration: str = ""
    model: str = ""
    label: str = ""
    favourite: bool = False
    gone: bool = False
    reduced: str = ""
    wide: bool = True
    video_url: str = ""
    poster_url: str = ""


@dataclass(frozen=True)
class DetailView:
    """The video that is open beside the grid."""

    id: str = ""
    prompt: str = ""
    facts: str = ""
    favourite: bool = False
    binned: bool = False
    gone: bool = False
    ratio: str = "16 / 9"
    fps: int = 1
    frames: int = 0
    video_url: str = ""
    poster_url: str = ""
    download_url: str = ""


def tile_view(output: Output, *, plays: bool) -> TileView:
    """An output in the grid; without its file there is nothing to play."""
    prompt = " ".join(output.request.prompt.split())[:TITLE_LENGTH]
    return TileView(
        id=output.id,
        duration=length_text(output.frames, output.fps),
        model=model_name(output.request.model),
        label=words.OPEN_VIDEO.format(prompt=prompt),
        favourite=output.favourite,
        gone=not plays,
        reduced=reduced(output.asked, output.request),
        wide=output.width / output.height >= WIDE,
        video_url=media_url(output.id, "video") if plays else "",
        poster_url=media_url(output.id, "poster"),
    )


def detail_view(output: Output, *, plays: bool) -> DetailView:
    """An output beside the grid."""
    facts = (
        model_name(output.request.model),
        f"{output.width}×{output.height}",
        length_text(output.frames, output.fps),
        output.created_at.astimezone().strftime("%d %b %Y, %H:%M"),
    )
    return DetailView(
        id=output.id,
        prompt=output.request.prompt,
        facts=" · ".join(facts),
        favourite=output.favourite,
        binned=output.deleted_at is not None,
        gone=not plays,
        ratio=f"{output.width} / {output.height}",
        fps=output.fps,
        frames=output.frames,
        video_url=media_url(output.id, "video") if plays else "",
        poster_url=media_url(output.id, "poster"),
        download_url=media_url(output.id, "video", download=True) if plays else "",
    )


def recipe_of(output: Output, recipe: Recipe | None) -> list[RecipeLine]:
    """All that is known of a video: the rest of its recipe when the file still tells it."""
    return [*recipe_lines(output.request, output.asked, recipe), *_times(output.seconds)]


def recipe_lines(
    request: GenerationRequest, asked: GenerationRequest | None, recipe: Recipe | None
) -> list[RecipeLine]:
    """What was made, what was asked where that was more, and how."""
    lines = [*_wish(request), *map(_lora, request.loras)]
    if asked is not None:
        lines.append(RecipeLine(words.RECIPE_REDUCED, reduced(asked, request)))
    if recipe is not None:
        lines += _plan(recipe.plan)
        lines += _origin(recipe)
    return lines


def as_text(lines: list[RecipeLine]) -> str:
    """The list for the clipboard."""
    return "\n".join(f"{line.name}: {line.value}" for line in lines)


def _wish(request: GenerationRequest) -> Iterator[RecipeLine]:
    yield RecipeLine(words.RECIPE_PROMPT, request.prompt)
    yield RecipeLine(words.RECIPE_NEGATIVE, request.negative_prompt or words.RECIPE_NONE)
    yield RecipeLine(words.MODEL, _model(request.model))
    yield RecipeLine(words.RECIPE_SIZE, f"{request.width}×{request.height}")
    frames = words.RECIPE_FRAMES_AT.format(frames=request.frames, fps=request.fps)
    yield RecipeLine(words.FRAMES, f"{frames}, {length_text(request.frames, request.fps)}")
    yield RecipeLine(words.STEPS, str(request.steps))
    if request.guidance_low is None:
        yield RecipeLine(words.GUIDANCE, _number(request.guidance))
    else:
        yield RecipeLine(words.GUIDANCE_HIGH, _number(request.guidance))
        yield RecipeLine(words.GUIDANCE_LOW, _number(request.guidance_low))
    yield RecipeLine(words.SHIFT, _number(request.shift))
    yield RecipeLine(words.SAMPLER, request.sampler)
    if request.step_cache:
        cache = words.RECIPE_LOSSY.format(kind=_number(request.step_cache))
        yield RecipeLine(words.STEP_CACHE, cache)
    yield RecipeLine(words.SEED, str(request.seed))
    yield RecipeLine(words.PRECISION, request.precision)
    quantized = {
        words.QUANTIZATION: request.quantization,
        words.TEXT_QUANTIZATION: request.text_quantization,
    }
    if request.attention != NATIVE:
        lossy = BACKENDS[request.attention].lossy
        told = words.RECIPE_LOSSY.format(kind=request.attention) if lossy else request.attention
        yield RecipeLine(words.ATTENTION, told)
    if request.compilation != NOTHING:
        yield RecipeLine(words.COMPILATION, request.compilation)
    for name, kind in quantized.items():
        if kind != "none":
            yield RecipeLine(name, words.RECIPE_LOSSY.format(kind=kind))
    if request.continues is not None:
        video = request.continues
        told = words.RECIPE_CONTINUES.format(
            frames=video.frames, tail=video.tail, sha256=video.sha256
        )
        yield RecipeLine(words.CONTINUES_TITLE, told, code=True)
    images = {words.START_IMAGE: request.image, words.LAST_IMAGE: request.last_image}
    for name, image in images.items():
        if image is not None:
            size = f"{image.width}×{image.height}"
            yield RecipeLine(name, f"{size}, sha256 {image.sha256}", code=True)


def _model(key: str) -> str:
    name = model_name(key)
    demo = key in {spec.key for spec in DEMO_SPECS}
    return words.RECIPE_DEMO.format(name=name) if demo else name


def _lora(ref: LoraRef) -> RecipeLine:
    name = f"{ref.file}, {words.RECIPE_STRENGTH} {_number(ref.strength)}"
    return RecipeLine(words.LORA, f"{name}, sha256 {ref.sha256 or words.RECIPE_UNKNOWN}", code=True)


def _plan(plan: Placement) -> Iterator[RecipeLine]:
    tile = words.RECIPE_WHOLE if plan.tile is None else words.RECIPE_TILES.format(side=plan.tile)
    keep = "" if plan.keep == "all" else words.RECIPE_ONE_PART
    decoder = words.RECIPE_DECODER.format(precision=plan.vae_precision)
    if plan.vae_precision == "fp32":
        decoder = ""
    offload = words.RECIPE_OFFLOAD.format(offload=plan.offload)
    parts = (plan.device, plan.precision, offload, keep, decoder, tile)
    yield RecipeLine(words.RECIPE_PLAN, ", ".join(filter(None, parts)))


def _origin(recipe: Recipe) -> Iterator[RecipeLine]:
    yield RecipeLine(words.RECIPE_DEVICE, recipe.device)
    yield RecipeLine(words.RECIPE_REVISION, recipe.revision or words.RECIPE_UNKNOWN, code=True)
    versions = ", ".join(f"{name} {version}" for name, version in recipe.versions.items())
    yield RecipeLine(words.RECIPE_VERSIONS, versions, code=True)
    if recipe.parent:
        yield RecipeLine(words.RECIPE_PARENT, recipe.parent, code=True)


def _times(seconds: Mapping[str, float]) -> Iterator[RecipeLine]:
    parts = [
        f"{words.STAGE_TIMES.get(stage, stage)} {_duration(spent)}"
        for stage, spent in seconds.items()
    ]
    if parts:
        yield RecipeLine(words.RECIPE_TIMES, ", ".join(parts))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{clock(seconds)} min"


def _number(value: float) -> str:
    return f"{value:g}"
