"""What else would need less memory, at a price that can be seen: types, size, length.

Nobody's video is changed so without their word: by a click, or by the consent in the request.
"""

from collections.abc import Sequence

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.quantization import PRECISION

LEAST_PIXELS = 0.25
"""Share of the asked picture's pixels below which it would be another video."""
LEAST_FRAMES = 0.5
"""The same of its length."""


def lighter(
    spec: ModelSpec,
    request: GenerationRequest,
    asked: GenerationRequest,
    *,
    decoding: bool = False,
) -> GenerationRequest | None:
    """The next lighter request after ``request``; None when too little of ``asked`` would be left.

    Each step is the smallest that counts: half the bytes of a weight, and half of that once more,
    three quarters of both sides with their ratio kept, three quarters of the length. While
    ``decoding`` the weights' types play no part.
    """
    if request.precision == "fp32" and not decoding:
        return request.model_copy(update={"precision": PRECISION})
    plain = request.quantization == "none" and not spec.packed
    if plain and request.precision == PRECISION and not decoding:
        return request.model_copy(update={"quantization": "int8"})
    width, height = _shrunk(request.width), _shrunk(request.height)
    # What goes on from a video keeps its size.
    enough = width * height >= LEAST_PIXELS * asked.width * asked.height and not asked.continues
    if enough and min(width, height) >= spec.min_side:
        return request.model_copy(update={"width": width, "height": height})
    frames = (request.frames - 1) // spec.temporal * 3 // 4 * spec.temporal + 1
    given = asked.continues.tail if asked.continues else 0
    if given < frames < request.frames and frames >= LEAST_FRAMES * asked.frames:
        return request.model_copy(update={"frames": frames})
    return None


def _shrunk(side: int) -> int:
    """Three quarters, even as H.264 wants it."""
    return 2 * round(side * 3 / 8)


def differences(asked: GenerationRequest, made: GenerationRequest) -> Sequence[tuple[str, str]]:
    """What is less than ``asked``: each as it is made, and as it was asked."""
    pairs = [(_facts(made)[name], fact) for name, fact in _facts(asked).items()]
    return [(now, before) for now, before in pairs if now != before]


def gist(asked: GenerationRequest, made: GenerationRequest) -> str:
    """What is made in place of what was asked: ``96×96 and 13 frames``; empty for no change."""
    return _listed([now for now, _ in differences(asked, made)])


def sentence(asked: GenerationRequest, made: GenerationRequest) -> str:
    """The same with what was asked: ``96×96 instead of 128×128``."""
    return _listed([f"{now} instead of {before}" for now, before in differences(asked, made)])


def _facts(request: GenerationRequest) -> dict[str, str]:
    tile = "automatic tiles" if request.tile == "auto" else f"tiles of {request.tile} pixels"
    weights = "unquantized" if request.quantization == "none" else request.quantization
    return {
        "size": f"{request.width}×{request.height}",
        "frames": f"{request.frames} frames",
        "precision": request.precision,
        "quantization": f"{weights} weights",
        "offload": f"offload “{request.offload}”",
        "keep": f"parts in memory “{request.keep}”",
        "tile": tile,
    }


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
