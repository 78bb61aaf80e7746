"""Requests: whatever is typed, it is a valid value or problems with a field and a cure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import a_request
from wan22_app.domain.catalog import CATALOG, DEMO_T2V, DEMO_TI2V, T2V_A14B, TI2V_5B, ModelSpec
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import GenerationRequest, ImageRef, geometry
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import Device, Host, MemoryPlan

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=8),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=4), st.integers()),
    st.sampled_from(["", " ", "nan", "1e999", "-1", "٣", "0x10", "1_000", "\ud800", "\x00"]),
)  # fmt: skip
FIELDS = st.sampled_from([*GenerationRequest.model_fields, "nonsense"])
HOST = Host(total_bytes=10**12, available_bytes=10**12, cores=8)


def build(spec: ModelSpec = DEMO_T2V, **fields: object) -> GenerationRequest:
    return GenerationRequest.build(spec, {"prompt": "a red ball", **fields}, 1)


def problems(**fields: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        build(**fields)
    return {problem.field: problem.sentence() for problem in refusal.value.problems}


@given(st.dictionaries(FIELDS, JUNK))
def test_junk_never_does_more_than_raise_problems(fields: dict[str, object]) -> None:
    try:
        request = GenerationRequest.build(DEMO_T2V, {"prompt": "x", **fields}, 1)
    except InvalidRequest as error:
        for problem in error.problems:
            assert problem.what
            assert problem.cure
            problem.model_dump_json()
    else:
        assert GenerationRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"prompt": "  "}, "prompt", "The prompt is empty."),
        ({"prompt": "x" * 2001}, "prompt", "2000 characters"),
        ({"prompt": "a\x00b"}, "prompt", "U+0000"),
        ({"width": 65}, "width", "64 or 66"),
        ({"width": 1024}, "width", "32 to 512"),
        ({"height": -2}, "height", "more than 0"),
        ({"frames": 500}, "frames", "at most 81"),
        ({"frames": "1.5"}, "frames", "whole number"),
        ({"steps": math.nan}, "steps", "number"),
        ({"steps": 201}, "steps", "200 or less"),
        ({"guidance": math.nan}, "guidance", "ordinary number"),
        ({"guidance": -1}, "guidance", "0 or more"),
        ({"shift": 0}, "shift", "more than 0"),
        ({"seed": True}, "seed", "number"),
        ({"seed": -1}, "seed", "0 or more"),
        ({"fps": 0}, "fps", "1 or more"),
        ({"tile": "77"}, "tile", "multiple of 16"),
        ({"precision": "int3"}, "precision", "'bf16'"),
        ({"image": ImageRef(sha256="0" * 64, width=1, height=1)}, "image", "takes no image"),
    ],
)
def test_each_refusal_names_its_field_and_cure(
    fields: dict[str, object], field: str, words: str
) -> None:
    found = problems(**fields)
    assert list(found) == [field]
    assert words in found[field]


def test_a_model_that_needs_an_image_says_so() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        build(CATALOG["demo-i2v"])
    assert refusal.value.problem.field == "image"


def test_a_last_image_is_for_models_that_take_one_and_lengths_that_are_made() -> None:
    image = ImageRef(sha256="0" * 64, width=64, height=64)
    both = {"image": image, "last_image": image}
    assert build(CATALOG["demo-i2v"], **both, frames=17).last_image == image
    with pytest.raises(InvalidRequest) as refusal:
        build(CATALOG["demo-i2v"], **both, frames=18)
    assert (refusal.value.problem.field, refusal.value.problem.cure) == ("frames", "Use 17 or 21.")
    for key in ("demo-t2v", "demo-ti2v"):
        with pytest.raises(InvalidRequest) as refusal:
            build(CATALOG[key], last_image=image)
        assert refusal.value.problem.field == "last_image"


def test_blank_fields_take_the_models_defaults() -> None:
    request = build(T2V_A14B, width="", steps=" ", seed="", negative_prompt=None)
    assert (request.width, request.height, request.frames, request.fps) == (1280, 720, 81, 16)
    assert (request.steps, request.shift) == (40, 12.0)
    assert (request.guidance, request.guidance_low) == (4.0, 3.0)
    assert request.seed == 1
    assert request.negative_prompt == T2V_A14B.negative_prompt
    assert build(T2V_A14B, negative_prompt="").negative_prompt == ""


@given(
    st.sampled_from(sorted(CATALOG)),
    st.integers(16, 256).map(lambda n: n * 2),
    st.integers(16, 256).map(lambda n: n * 2),
    st.integers(1, 81),
)
def test_what_is_made_is_legal_covers_the_asked_and_is_cut_around_the_centre(
    key: str, width: int, height: int, frames: int
) -> None:
    spec = CATALOG[key]
    request = a_request(DEMO_T2V, width=width, height=height, frames=frames)
    made = geometry(spec, request)
    assert made.width % spec.multiple == made.height % spec.multiple == 0
    assert made.frames % spec.temporal == 1
    assert 0 <= made.width - width < spec.multiple
    assert 0 <= made.height - height < spec.multiple
    assert 0 <= made.frames - frames < spec.temporal
    assert abs((made.width - width - made.left) - made.left) <= 1
    assert abs((made.height - height - made.top) - made.top) <= 1


def test_the_two_crops_that_everybody_meets() -> None:
    assert geometry(T2V_A14B, build(T2V_A14B, width=1920, height=1080)).height == 1088
    assert geometry(TI2V_5B, build(TI2V_5B, width=1280, height=720)).height == 736
    assert geometry(DEMO_TI2V, build(DEMO_TI2V, width=160, height=90)).cropped


@given(st.sampled_from(sorted(CATALOG)), st.integers(1, 200), st.integers(1, 200))
def test_more_memory_never_makes_a_fitting_plan_unfit(key: str, first: int, more: int) -> None:
    spec = CATALOG[key]
    image = ImageRef(sha256="0" * 64, width=1, height=1) if spec.image == "required" else None
    request = build(spec, image=image)

    def plan(gigabytes: int) -> object:
        card = Device(kind="cuda", name="card", total_bytes=gigabytes * 10**9)
        return plan_memory(spec, request, card, HOST)

    small, large = plan(first), plan(first + more)
    if isinstance(small, MemoryPlan):
        assert isinstance(large, MemoryPlan)
        assert small.peak_vram_bytes <= first * 10**9
