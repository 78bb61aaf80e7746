"""How long a job will take, judged by what this machine has made before."""

from collections.abc import Callable, Sequence

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.generation import GenerationRequest, geometry
from wan22_app.domain.output import Output

Work = Callable[[ModelSpec, GenerationRequest], float]


def estimate_seconds(
    spec: ModelSpec, request: GenerationRequest, history: Sequence[Output]
) -> float | None:
    """Seconds from start to video, or None when this model has made nothing here yet.

    ``history`` is newest first. The newest video of the same model is scaled: denoising by
    tokens, forwards and steps, everything else by pixels.
    """
    last = next((output for output in history if output.request.model == spec.key), None)
    if last is None:
        return None
    denoising = last.seconds.get("denoising", 0.0)
    rest = sum(last.seconds.values()) - denoising - last.seconds.get("loading", 0.0)
    return denoising * _ratio(spec, request, last.request, _denoising_work) + rest * _ratio(
        spec, request, last.request, _pixel_work
    )


def _ratio(spec: ModelSpec, new: GenerationRequest, old: GenerationRequest, work: Work) -> float:
    return work(spec, new) / work(spec, old)


def _denoising_work(spec: ModelSpec, request: GenerationRequest) -> float:
    made = geometry(spec, request)
    tokens = spec.tokens(made.width, made.height, made.frames)
    costs = spec.costs
    forward = tokens * (costs.flops_per_token + costs.flops_per_token_squared * tokens)
    return forward * request.steps * (2 if request.guidance > 1 else 1)


def _pixel_work(spec: ModelSpec, request: GenerationRequest) -> float:
    made = geometry(spec, request)
    return made.width * made.height * made.frames
