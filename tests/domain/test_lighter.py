"""Lighter requests: each needs less, keeps its shape, and it ends before too little is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import a_request
from wan22_app.domain.catalog import CATALOG, TI2V_5B, ModelSpec
from wan22_app.domain.generation import GenerationRequest, refusals
from wan22_app.domain.lighter import gist, lighter, sentence


def chain(
    spec: ModelSpec, asked: GenerationRequest, *, decoding: bool = False
) -> list[GenerationRequest]:
    """Everything that would be tried, one after the other."""
    tried, now = list[GenerationRequest](), asked
    while (after := lighter(spec, now, asked, decoding=decoding)) is not None:
        tried.append(after)
        now = after
    return tried


def test_precision_first_then_size_then_length() -> None:
    asked = a_request(TI2V_5B, width=1280, height=720, frames=81, precision="fp32")
    told = [gist(asked, each) for each in chain(TI2V_5B, asked)]
    assert told == [
        "bf16",
        "bf16 and int8 weights",
        "960×540, bf16 and int8 weights",
        "720×404, bf16 and int8 weights",
        "720×404, 61 frames, bf16 and int8 weights",
        "720×404, 45 frames, bf16 and int8 weights",
    ]
    assert sentence(asked, chain(TI2V_5B, asked)[2]) == (
        "960×540 instead of 1280×720, bf16 instead of fp32 "
        "and int8 weights instead of unquantized weights"
    )


def test_while_decoding_the_precision_of_the_weights_is_no_help() -> None:
    asked = a_request(TI2V_5B, width=1280, height=720, precision="fp32")
    assert {each.precision for each in chain(TI2V_5B, asked, decoding=True)} == {"fp32"}


sides = st.integers(0, 200).map(lambda n: 256 + 2 * n)


@given(sides, sides, st.integers(1, 121), st.booleans())
def test_each_is_a_video_that_the_model_makes_and_needs_less_than_the_one_before(
    width: int, height: int, frames: int, decoding: bool
) -> None:
    asked = a_request(TI2V_5B, width=width, height=height, frames=frames, precision="fp32")
    found = chain(TI2V_5B, asked, decoding=decoding)
    assert len(found) <= 6
    before = asked
    for each in found:
        assert list(refusals(TI2V_5B, each)) == []
        now, then = (
            (r.width * r.height, r.frames, r.precision == "fp32", r.quantization == "none")
            for r in (each, before)
        )
        assert now != then
        assert all(less <= more for less, more in zip(now, then, strict=True))
        assert each.width / each.height == pytest.approx(width / height, rel=0.02)
        before = each
    last = before
    assert last.width * last.height >= asked.width * asked.height / 4
    assert last.frames >= asked.frames / 2
    kept = {"width", "height", "frames", "precision", "quantization"}
    assert last.model_dump(exclude=kept) == asked.model_dump(exclude=kept)


@pytest.mark.parametrize("spec", CATALOG.values(), ids=CATALOG)
def test_every_model_has_something_to_offer(spec: ModelSpec) -> None:
    fields = {"width": spec.size.width, "height": spec.size.height}
    image = {"image": {"sha256": "0" * 64, "width": 64, "height": 64}}
    asked = a_request(spec, **fields, **(image if spec.image == "required" else {}))
    assert lighter(spec, asked, asked) is not None
    assert gist(asked, asked) == ""
