"""What the stages of a run have to do, as far as their time grows with it."""

from collections.abc import Mapping

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest, geometry


def effort(spec: ModelSpec, request: GenerationRequest) -> Mapping[Stage, float]:
    """Operations of the denoising, pixels of what handles pictures.

    Loading and text are not in it: they take as long whatever is asked.
    """
    made = geometry(spec, request)
    pixels = float(made.width * made.height * made.frames)
    return {
        Stage.IMAGE: pixels,
        Stage.DENOISING: operations(spec, request),
        Stage.DECODING: pixels,
        Stage.ENCODING: pixels,
    }


def tokens(spec: ModelSpec, request: GenerationRequest) -> int:
    """Length of the transformer's sequence."""
    made = geometry(spec, request)
    return spec.tokens(made.width, made.height, made.frames)


def operations(spec: ModelSpec, request: GenerationRequest) -> float:
    """Floating-point operations of all steps, guidance included."""
    count, costs = tokens(spec, request), spec.costs
    forward = count * (costs.flops_per_token + costs.flops_per_token_squared * count)
    return forward * request.steps * (2 if request.guidance > 1 else 1)
