"""Which card a driver's name means, and how fast it is."""

import pytest

from wan22_app.domain.cards import CARDS, card_of


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("NVIDIA GeForce RTX 4080", "RTX 4080"),
        ("NVIDIA GeForce RTX 4080 SUPER", "RTX 4080 SUPER"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti SUPER"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
    ],
)
def test_the_longest_name_that_fits_is_the_card(name: str, card: str) -> None:
    found = card_of(name)
    assert found is not None
    assert found.name == card


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA GeForce RTX 4080 Laptop GPU",
        "NVIDIA RTX A1000",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "AMD EPYC",
        "",
    ],
)
def test_slower_ones_of_the_same_name_parts_and_strangers_are_not_known(name: str) -> None:
    assert card_of(name) is None


@pytest.mark.parametrize(
    ("name", "tflops"),
    [("RTX 3090", 71), ("RTX 4080", 97.5), ("RTX 4090", 165.2), ("RTX 5090", 209.5), ("A100", 312),
     ("L40S", 366), ("H200", 989.4)],
)  # fmt: skip
def test_arithmetic_gives_what_makers_and_measurements_say(name: str, tflops: float) -> None:
    card = card_of(name)
    assert card is not None
    assert card.bf16 == pytest.approx(tflops, rel=0.005)
    assert card.tf32 == pytest.approx(tflops / 2, rel=0.005)


def test_each_card_is_listed_once() -> None:
    names = [card.name for card in CARDS]
    assert len(names) == len(set(names))
