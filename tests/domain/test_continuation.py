"""Which videos can be gone on from, by which model, and with how many frames."""

import pytest

from tests.values import a_request
from wan22_app.domain.catalog import DEMO_I2V, DEMO_T2V, DEMO_TI2V, I2V_A14B, TI2V_5B, ModelSpec
from wan22_app.domain.continuation import VideoRef, tails, usual_tail
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.lighter import lighter

VIDEO = VideoRef(
    sha256="a" * 64, still="b" * 64, width=128, height=128, fps=8, frames=17, tail=5
)  # fmt: skip
IMAGE = ImageRef(sha256="c" * 64, width=8, height=8)


@pytest.mark.parametrize("spec", [DEMO_I2V, DEMO_TI2V])
def test_it_stands_in_an_images_place(spec: ModelSpec) -> None:
    video = VIDEO.model_copy(update=spec.size.model_dump())
    request = a_request(spec, continues=video)
    assert request.begins_with_pictures
    assert (request.image, request.continues) == (None, video)


@pytest.mark.parametrize(
    ("spec", "fields", "said"),
    [
        (DEMO_T2V, {}, "cannot go on from a video"),
        (DEMO_I2V, {"image": IMAGE}, "not from both"),
        (DEMO_I2V, {"width": 96, "height": 96}, "128×128 at 8"),
        (DEMO_I2V, {"fps": 16}, "128×128 at 8"),
        (DEMO_I2V, {"frames": 5}, "5 frames cannot be given"),
        (DEMO_I2V, {"continues": VIDEO.model_copy(update={"tail": 3})}, "3 frames cannot"),
        (DEMO_I2V, {"continues": VIDEO.model_copy(update={"frames": 4})}, "5 frames cannot"),
    ],
)
def test_what_cannot_be_is_told(spec: ModelSpec, fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        a_request(spec, **{"continues": VIDEO, **fields})
    assert [p.field for p in refused.value.problems] == ["continues"]
    assert said in refused.value.problem.what


@pytest.mark.parametrize(("frames", "found"), [(1, (1,)), (4, (1,)), (5, (1, 5)), (81, (1, 5, 9))])
def test_so_many_frames_can_be_given(frames: int, found: tuple[int, ...]) -> None:
    assert tails(frames) == found


def test_as_many_are_given_as_a_model_was_taught() -> None:
    assert usual_tail(I2V_A14B, 81) == 5
    assert usual_tail(I2V_A14B, 4) == 1
    assert usual_tail(TI2V_5B, 121) == 1


def test_with_consent_its_size_stays() -> None:
    request = a_request(DEMO_I2V, continues=VIDEO, precision="bf16", quantization="int8")
    less = lighter(DEMO_I2V, request, request)
    assert less is not None
    assert (less.width, less.height) == (128, 128)
    assert less.frames < request.frames


def test_with_consent_something_new_is_left() -> None:
    """Fewer frames than are given would leave nothing to write."""
    video = VIDEO.model_copy(update={"tail": 9})
    request = a_request(
        DEMO_I2V, continues=video, frames=13, precision="bf16", quantization="int8"
    )  # fmt: skip
    assert lighter(DEMO_I2V, request, request) is None
