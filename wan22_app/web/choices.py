"""Shapes, qualities and lengths to click, derived from a model's sizes and limits."""

from dataclasses import dataclass

from wan22_app.domain.catalog import ModelEntry, ModelSpec, Size

RATIOS = {"16:9": 16 / 9, "9:16": 9 / 16, "1:1": 1.0, "4:3": 4 / 3, "3:4": 3 / 4}
SECONDS = (1, 2, 3, 5, 8)
MOST_DIGITS = 6


@dataclass(frozen=True)
class ModelView:
    """A model in the list: its name, whether it runs, what it needs."""

    key: str = ""
    name: str = ""
    ready: bool = False
    demo: bool = False
    note: str = ""
    cure: str = ""
    takes_image: bool = False
    needs_image: bool = False
    takes_last_image: bool = False
    two_experts: bool = False


def model_view(entry: ModelEntry) -> ModelView:
    """A catalogue entry as the form shows it."""
    spec = entry.spec
    return ModelView(
        key=spec.key,
        name=spec.name,
        ready=entry.ready,
        demo=spec.demo,
        note=entry.problem,
        cure=entry.cure,
        takes_image=spec.image != "none",
        needs_image=spec.image == "required",
        takes_last_image=spec.takes_last_image,
        two_experts=spec.experts == 2,
    )


def whole(text: str) -> int:
    """The number that was typed; 0 for what is none, or none that a video could have."""
    number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if number else 0


def shape_of(size: Size) -> str:
    """The named ratio nearest to a size."""
    return min(RATIOS, key=lambda name: abs(RATIOS[name] - size.width / size.height))


def quality_of(size: Size) -> str:
    """The shorter side, as people name video sizes."""
    return str(min(size.width, size.height))


def shapes(spec: ModelSpec) -> list[str]:
    """Each shape that the model's sizes come in, in their order."""
    return list(dict.fromkeys(shape_of(size) for size in spec.sizes))


def qualities(spec: ModelSpec, shape: str) -> list[str]:
    """The qualities of one shape, smallest first."""
    found = {quality_of(size) for size in spec.sizes if shape_of(size) == shape}
    return sorted(found, key=int)


def size_for(spec: ModelSpec, shape: str, quality: str) -> Size:
    """The size that is nearest to a shape and a quality; the shape counts more."""
    fitting = [size for size in spec.sizes if shape_of(size) == shape] or list(spec.sizes)
    wanted = whole(quality) or int(quality_of(spec.size))
    return min(fitting, key=lambda size: abs(int(quality_of(size)) - wanted))


def frames_for(spec: ModelSpec, seconds: int, fps: int) -> int:
    """A legal frame count of about this length."""
    return min(spec.max_frames, seconds * fps // spec.temporal * spec.temporal + 1)


def lengths(spec: ModelSpec, fps: int) -> list[str]:
    """Lengths in seconds that the model's limit allows."""
    return [f"{s} s" for s in SECONDS if s * fps <= spec.max_frames]
