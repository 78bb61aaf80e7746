"""The crop of a start image: exactly the asked shape, inside the image, where the person wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan22_app.domain.catalog import Size
from wan22_app.domain.generation import GenerationRequest, ImageRef
from wan22_app.domain.picture import covering_box, free_axis

SIDES = st.integers(1, 8000)
SIZES = st.builds(lambda width, height: Size(width=width, height=height), SIDES, SIDES)
SHARES = st.floats(0.0, 1.0)


def css_cover(source: Size, asked: Size, focus_x: float, focus_y: float) -> tuple[float, float]:
    """What a browser shows: its left and top edge in pixels of the image.

    ``object-fit: cover`` scales until both sides are covered; ``object-position: x% y%`` lays that
    share of the picture on the same share of the frame.
    """
    scale = max(asked.width / source.width, asked.height / source.height)
    left = (source.width * scale - asked.width) * focus_x / scale
    top = (source.height * scale - asked.height) * focus_y / scale
    return left, top


@given(SIZES, SIZES, SHARES, SHARES)
def test_the_crop_is_what_a_browser_shows_to_the_pixel(
    source: Size, asked: Size, focus_x: float, focus_y: float
) -> None:
    box = covering_box(source, asked, focus_x, focus_y)
    left, top = css_cover(source, asked, focus_x, focus_y)
    assert abs(box.left - left) < 1 + 1e-6
    assert abs(box.top - top) < 1 + 1e-6


@given(SIZES, SIZES, SHARES, SHARES)
def test_the_crop_has_the_asked_shape_and_stays_inside(
    source: Size, asked: Size, focus_x: float, focus_y: float
) -> None:
    box = covering_box(source, asked, focus_x, focus_y)
    assert 0 <= box.left < box.right <= source.width
    assert 0 <= box.top < box.bottom <= source.height
    width, height = box.right - box.left, box.bottom - box.top
    assert width * asked.height == pytest.approx(height * asked.width)
    touches = (width == pytest.approx(source.width), height == pytest.approx(source.height))
    assert any(touches), "it is the largest of its shape"


def test_the_ends_of_the_focus_are_the_ends_of_the_image() -> None:
    wide, square = Size(width=300, height=100), Size(width=64, height=64)
    assert covering_box(wide, square, 0.0, 0.5).edges == (0, 0, 100, 100)
    assert covering_box(wide, square).edges == (100, 0, 200, 100)
    assert covering_box(wide, square, 1.0, 0.5).edges == (200, 0, 300, 100)
    assert covering_box(wide, wide, 1.0, 1.0).edges == (0, 0, 300, 100)


def test_the_focus_is_offered_only_where_it_does_something() -> None:
    wide, tall = Size(width=300, height=100), Size(width=100, height=300)
    assert free_axis(wide, tall) == "x"
    assert free_axis(tall, wide) == "y"
    assert free_axis(wide, Size(width=600, height=200)) == ""
    assert free_axis(Size(width=1921, height=1080), Size(width=16, height=9)) == "x"


def test_a_job_from_before_the_focus_is_still_read() -> None:
    old = {"sha256": "0" * 64, "width": 40, "height": 20}
    request = {
        "model": "demo-i2v", "prompt": "x", "image": old, "width": 64, "height": 64, "frames": 5,
        "fps": 8, "steps": 1, "guidance": 1.0, "shift": 1.0, "seed": 1, "precision": "fp32",
    }  # fmt: skip
    image = GenerationRequest.model_validate(request).image
    assert image is not None
    assert image.focus == (0.5, 0.5)
    assert (image.original, image.background, image.source) == ("", "black", None)


@pytest.mark.parametrize(
    "field",
    [{"focus_x": 1.5}, {"focus_y": -0.1}, {"focus_x": float("nan")}, {"background": "pink"},
     {"original": "../../etc/passwd"}],
)  # fmt: skip
def test_what_no_form_sends_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ImageRef.model_validate({"sha256": "0" * 64, "width": 1, "height": 1, **field})
