"""Time estimates from this machine's own history."""

from datetime import UTC, datetime

import pytest

from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V, ModelSpec
from wan22_app.domain.estimate import estimate_stages, seconds, seconds_left
from wan22_app.domain.events import Stage
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import Progress
from wan22_app.domain.output import Output


def request(spec: ModelSpec, **fields: object) -> GenerationRequest:
    return GenerationRequest.build(spec, {"prompt": "a red ball", **fields}, 1)


def estimate_seconds(
    spec: ModelSpec, wanted: GenerationRequest, history: list[Output], *, cold: bool = False
) -> float | None:
    stages = estimate_stages(spec, wanted, history)
    return None if stages is None else seconds(stages, cold=cold)


def output(made: GenerationRequest, **seconds: float) -> Output:
    return Output(
        id="a", owner="local", request=made, video="a.mp4", poster="a.webp",
        width=made.width, height=made.height, frames=made.frames, fps=made.fps, bytes=1,
        sha256="", latents_sha256="", seconds=seconds, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_nothing_is_said_without_experience_of_this_very_model() -> None:
    other = output(request(DEMO_TI2V), denoising=5.0)
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), []) is None
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), [other]) is None


def test_the_same_job_again_takes_as_long_without_loading() -> None:
    done = output(request(DEMO_T2V), loading=9.0, denoising=5.0, decoding=2.0)
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), [done]) == pytest.approx(7.0)
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), [done], cold=True) == pytest.approx(16.0)


def test_loading_is_known_from_the_last_job_that_had_to_load() -> None:
    cold = output(request(DEMO_T2V), loading=9.0, denoising=5.0)
    warm = output(request(DEMO_T2V), loading=0.0, denoising=4.0)
    history = [warm, cold]
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), history, cold=True) == pytest.approx(13.0)


@pytest.mark.parametrize(
    ("stage", "done", "total", "since", "left"),
    [
        (Stage.LOADING, 0, 0, 0, 18),
        (Stage.LOADING, 0, 0, 3, 15),
        (Stage.LOADING, 0, 0, 99, 12),
        (Stage.DENOISING, 0, 4, 0, 12),
        (Stage.DENOISING, 3, 4, 0, 6),
        (Stage.DENOISING, 3, 4, 1, 5),
        (Stage.DENOISING, 3, 4, 99, 4),
        (Stage.DENOISING, 4, 4, 99, 4),
        (Stage.ENCODING, 1, 2, -5, 1),
    ],
)
def test_what_is_left_is_what_has_not_been_done(
    stage: Stage, done: int, total: int, since: float, left: float
) -> None:
    """A step that takes longer than expected is not counted as done."""
    made = output(request(DEMO_T2V), loading=6.0, denoising=8.0, decoding=2.0, encoding=2.0)
    stages = estimate_stages(DEMO_T2V, request(DEMO_T2V), [made])
    assert stages is not None
    progress = Progress(stage=stage, done=done, total=total)
    assert seconds_left(stages, progress, since) == pytest.approx(left)


def test_twice_the_steps_double_the_denoising_only() -> None:
    done = output(request(DEMO_T2V, steps=4), denoising=5.0, decoding=2.0)
    wanted = request(DEMO_T2V, steps=8)
    assert estimate_seconds(DEMO_T2V, wanted, [done]) == pytest.approx(12.0)


def test_guidance_off_halves_the_denoising() -> None:
    done = output(request(DEMO_T2V), denoising=8.0)
    wanted = request(DEMO_T2V, guidance=1.0)
    assert estimate_seconds(DEMO_T2V, wanted, [done]) == pytest.approx(4.0)


def test_a_bigger_picture_costs_more_than_its_tokens() -> None:
    done = output(request(DEMO_T2V, width=64, height=64), denoising=1.0)
    wanted = request(DEMO_T2V, width=128, height=128)
    estimate = estimate_seconds(DEMO_T2V, wanted, [done])
    assert estimate is not None
    assert estimate > 4.0, "attention grows with the square of the tokens"


def test_the_newest_experience_counts() -> None:
    slow, fast = (output(request(DEMO_T2V), denoising=seconds) for seconds in (9.0, 3.0))
    assert estimate_seconds(DEMO_T2V, request(DEMO_T2V), [fast, slow]) == pytest.approx(3.0)
