"""How fast cards are by their makers' data: what arithmetic tells before jobs were measured."""

import re
from typing import NamedTuple


class Card(NamedTuple):
    """A card by its name, its multiprocessors and the clock that its maker promises.

    ``per_clock`` is operations in a multiprocessor and clock, dense bf16 summed up in fp32.
    """

    name: str
    multiprocessors: int
    boost_ghz: float
    per_clock: int

    @property
    def bf16(self) -> float:
        """TFLOPS of matrices in bf16."""
        return self.multiprocessors * self.boost_ghz * self.per_clock / 1000

    @property
    def tf32(self) -> float:
        """TFLOPS that convolutions in fp32 get."""
        return self.bf16 / 2


GEFORCE, WORKSTATION, AMPERE, HOPPER = 512, 1024, 2048, 4096
"""Operations in a multiprocessor and clock: GeForce cards sum up in fp32 at half rate."""
CARDS = (
    *(
        Card(name, multiprocessors, ghz, GEFORCE)
        for name, multiprocessors, ghz in (
            ("RTX 3060", 28, 1.777),
            ("RTX 3060 Ti", 38, 1.665),
            ("RTX 3070", 46, 1.725),
            ("RTX 3070 Ti", 48, 1.770),
            ("RTX 3080", 68, 1.710),
            ("RTX 3080 Ti", 80, 1.665),
            ("RTX 3090", 82, 1.695),
            ("RTX 3090 Ti", 84, 1.860),
            ("RTX 4060", 24, 2.460),
            ("RTX 4060 Ti", 34, 2.535),
            ("RTX 4070", 46, 2.475),
            ("RTX 4070 SUPER", 56, 2.475),
            ("RTX 4070 Ti", 60, 2.610),
            ("RTX 4070 Ti SUPER", 66, 2.610),
            ("RTX 4080", 76, 2.505),
            ("RTX 4080 SUPER", 80, 2.550),
            ("RTX 4090", 128, 2.520),
            ("RTX 5060", 30, 2.497),
            ("RTX 5060 Ti", 36, 2.572),
            ("RTX 5070", 48, 2.512),
            ("RTX 5070 Ti", 70, 2.452),
            ("RTX 5080", 84, 2.617),
            ("RTX 5090", 170, 2.407),
        )
    ),
    Card("L40", 142, 2.490, GEFORCE),
    Card("RTX A5000", 64, 1.695, WORKSTATION),
    Card("RTX A6000", 84, 1.800, WORKSTATION),
    Card("RTX 6000 Ada", 142, 2.505, WORKSTATION),
    Card("RTX PRO 6000 Blackwell", 188, 2.617, WORKSTATION),
    Card("A10", 72, 1.695, WORKSTATION),
    Card("A40", 84, 1.740, WORKSTATION),
    Card("L4", 58, 2.040, WORKSTATION),
    Card("L40S", 142, 2.520, WORKSTATION),
    Card("A100", 108, 1.410, AMPERE),
    Card("H100 PCIe", 114, 1.620, HOPPER),
    Card("H100", 132, 1.830, HOPPER),
    Card("H200", 132, 1.830, HOPPER),
)
SLOWER = re.compile(r"laptop|max-q|mobile|\bmig\b", re.IGNORECASE)
"""Cards of the same name that their maker clocks lower, and parts of cards."""


def card_of(device_name: str) -> Card | None:
    """The card behind a driver's name for it; None for one that is not listed.

    The longest name that fits: a 4080 SUPER is also called a 4080.
    """
    if SLOWER.search(device_name):
        return None
    known = [card for card in CARDS if re.search(rf"\b{card.name}\b", device_name)]
    return max(known, key=lambda card: len(card.name), default=None)
