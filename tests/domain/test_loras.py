"""Pairs of LoRAs: one name for two files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import a_request
from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.fields import MAX_LORAS
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.loras import Choice, choices, chosen, offered, parts, references, written

HIGH, LOW = "fast_high_noise.safetensors", "fast_low_noise.safetensors"
PAIR = "fast_*_noise.safetensors"


def test_halves_are_offered_as_one_name() -> None:
    assert offered([LOW, "style.safetensors", HIGH]) == [PAIR, "style.safetensors"]


def test_one_half_stands_for_both() -> None:
    assert parts(HIGH, [HIGH, LOW]) == parts(PAIR, [HIGH, LOW])


def test_a_half_alone_is_offered_as_it_is() -> None:
    assert offered([HIGH]) == [HIGH]
    assert parts(HIGH, [HIGH]) == [(HIGH, "both")]


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("Lightning_4steps_HIGH_fp16.safetensors", "Lightning_4steps_LOW_fp16.safetensors"),
        ("Wan22_HighNoise_style.safetensors", "Wan22_LowNoise_style.safetensors"),
        ("lora-high.safetensors", "lora-low.safetensors"),
        ("wan2.2_v1.1_high_noise.safetensors", "wan2.2_v1.1_low_noise.safetensors"),
    ],
)
def test_the_spellings_in_the_wild(high: str, low: str) -> None:
    (name,) = offered([low, high])
    assert parts(name, [low, high]) == [(high, "high"), (low, "low")]


def test_a_word_that_only_contains_high_is_no_half() -> None:
    files = ["highway.safetensors", "lowway.safetensors", "slow.safetensors"]
    assert offered(files) == sorted(files)


def test_the_form_gets_back_what_was_chosen() -> None:
    picked = [Choice(PAIR, 0.8), Choice("style.safetensors", -1, partly=True), Choice(PAIR, 0.5)]
    assert chosen(references(picked, [HIGH, LOW, "style.safetensors"])) == picked
    assert chosen(references([Choice(HIGH)], [HIGH])) == [Choice(HIGH)]
    assert chosen([]) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a.safetensors", Choice("a.safetensors", 1.0)),
        ("a.safetensors:0.25", Choice("a.safetensors", 0.25)),
        ("a.safetensors:-4:partly", Choice("a.safetensors", -4, partly=True)),
        ("a.safetensors:partly", Choice("a.safetensors", 1.0, partly=True)),
        ("a:b.safetensors", Choice("a:b.safetensors", 1.0)),
        (" a:b.safetensors : 2 ", Choice("a:b.safetensors", 2.0)),
    ],
)
def test_a_line_says_name_strength_and_consent(text: str, meant: Choice) -> None:
    assert choices(f"\n{text}\n\n") == [meant]


@given(
    st.lists(
        st.builds(
            Choice,
            st.sampled_from(["a.safetensors", "b:c.safetensors", PAIR]),
            st.integers(-400, 400).map(lambda hundredths: hundredths / 100),
            st.booleans(),
        )
    )
)
def test_what_is_written_is_read_again(picked: list[Choice]) -> None:
    assert choices(written(picked)) == picked


@pytest.mark.parametrize("strength", ["", "nan", "inf", "4.01", "strong", "1,5"])
def test_a_strength_that_is_none_is_refused(strength: str) -> None:
    with pytest.raises(InvalidRequest, match="from -4 to 4"):
        choices(f"a.safetensors:{strength}")


def test_a_star_that_stands_for_nothing_has_no_parts() -> None:
    assert parts("other_*.safetensors", [HIGH, LOW]) == []


def pair() -> tuple[LoraRef, ...]:
    return (LoraRef(file=HIGH, expert="high"), LoraRef(file=LOW, expert="low"))


def test_a_pair_is_for_two_experts() -> None:
    assert a_request(DEMO_T2V, loras=pair()).loras == pair()
    with pytest.raises(InvalidRequest, match="has one"):
        a_request(DEMO_TI2V, loras=pair())


def test_a_lora_may_be_on_the_list_once() -> None:
    twice = (LoraRef(file="a.x"), LoraRef(file="a.x", strength=0.5))
    with pytest.raises(InvalidRequest, match="twice"):
        a_request(DEMO_T2V, loras=twice)
    several = (*pair(), LoraRef(file="a.x"), LoraRef(file="b.x"))
    assert a_request(DEMO_T2V, loras=several).loras == several


def test_there_is_a_most() -> None:
    many = [Choice(f"{number}.safetensors") for number in range(MAX_LORAS + 1)]
    with pytest.raises(InvalidRequest, match="more than 16"):
        references(many, [])
    assert len(references(many[1:], [])) == MAX_LORAS
