"""Pairs of LoRAs: one name for two files."""

import pytest

from tests.values import a_request
from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.loras import name_of, offered, parts

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


def test_the_form_gets_back_the_name_that_was_chosen() -> None:
    refs = [LoraRef(file=file, expert=expert) for file, expert in parts(PAIR, [HIGH, LOW])]
    assert name_of(refs) == PAIR
    assert name_of([LoraRef(file=HIGH)]) == HIGH
    assert name_of([]) == ""


def test_a_star_that_stands_for_nothing_has_no_parts() -> None:
    assert parts("other_*.safetensors", [HIGH, LOW]) == []


def pair() -> tuple[LoraRef, ...]:
    return (LoraRef(file=HIGH, expert="high"), LoraRef(file=LOW, expert="low"))


def test_a_pair_is_for_two_experts() -> None:
    assert a_request(DEMO_T2V, loras=pair()).loras == pair()
    with pytest.raises(InvalidRequest, match="has one"):
        a_request(DEMO_TI2V, loras=pair())


def test_two_loras_that_are_no_pair_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than one"):
        a_request(DEMO_T2V, loras=(LoraRef(file="a.x"), LoraRef(file="b.x")))
