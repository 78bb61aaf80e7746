"""How long a job will take, judged by what this machine has made before."""

from collections.abc import Mapping, Sequence

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.effort import effort
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import Progress
from wan22_app.domain.output import Output

Stages = Mapping[Stage, float]
"""Seconds of each stage."""


def estimate_stages(
    spec: ModelSpec, request: GenerationRequest, history: Sequence[Output]
) -> Stages | None:
    """Seconds of each stage, or None when this model has made nothing here yet.

    ``history`` is newest first. The newest video of the same model is scaled: denoising by tokens,
    forwards and steps, what handles pixels by their number. Loading is that of the newest video
    which was not made by a warm engine.
    """
    own = [output for output in history if output.request.model == spec.key]
    if not own:
        return None
    last = own[0]
    found = {stage: last.seconds.get(stage, 0.0) for stage in Stage}
    found[Stage.LOADING] = next(filter(None, (each.seconds.get("loading") for each in own)), 0.0)
    before = effort(spec, last.request)
    for stage, amount in effort(spec, request).items():
        found[stage] *= amount / before[stage]
    return found


def of_draft(stages: Stages, until: int, steps: int) -> Stages:
    """Seconds of each stage of a draft: a share of the denoising, and nothing after it."""
    over = {Stage.DECODING: 0.0, Stage.ENCODING: 0.0}
    return {**stages, Stage.DENOISING: stages[Stage.DENOISING] * until / steps, **over}


def seconds(stages: Stages, *, cold: bool) -> float:
    """From start to video. A warm engine has the model loaded; a cold one loads it first."""
    return sum(stages.values()) - (0.0 if cold else stages[Stage.LOADING])


def seconds_left(stages: Stages, progress: Progress, since: float) -> float:
    """Until the video: what is left of the stage that runs, and the stages behind it.

    What was done does not count, by whichever attempt: a run that goes on at step 30 of 40 has ten
    steps left, however short it has been running. ``since`` is the time since the last unit was
    done, in seconds; at most one unit is taken to have passed.
    """
    order = list(Stage)
    later = order[order.index(progress.stage) + 1 :]
    unit = stages[progress.stage] / max(1, progress.total)
    units = max(1, progress.total) - progress.done
    begun = min(max(since, 0.0), unit) if units else 0.0
    return unit * units - begun + sum(stages[stage] for stage in later)
