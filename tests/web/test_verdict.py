"""Prices of choices in words."""

import pytest

from tests.values import PLAN
from wan22_app.domain.errors import Problem
from wan22_app.domain.plan import MemoryPlan, WontFit
from wan22_app.services.preferences import Price
from wan22_app.web import words
from wan22_app.web.verdict import price_text, problems_text

GB = 10**9


def plan(vram: float, ram: float, seconds: float | None = None) -> MemoryPlan:
    memory = {"peak_vram_bytes": int(vram * GB), "peak_ram_bytes": int(ram * GB)}
    return PLAN.model_copy(update={**memory, "seconds": seconds})


@pytest.mark.parametrize(
    ("field", "price", "now", "card", "text"),
    [
        ("offload", plan(4, 70, 360), plan(14.5, 70), True,
         "4.0 GB on the card, 70 GB main memory, about 6 min, saves 10.5 GB"),
        ("offload", plan(14.5, 70), plan(4, 70), True,
         "14.5 GB on the card, 70 GB main memory, costs 10.5 GB more"),
        ("offload", plan(4, 70), plan(4, 70), True, "4.0 GB on the card, 70 GB main memory"),
        ("offload", plan(4, 70), None, True, "4.0 GB on the card, 70 GB main memory"),
        ("precision", plan(0, 20), plan(0, 30), False, "20.0 GB main memory, saves 10.0 GB"),
        ("tile", plan(0, 20), plan(0, 20), False, "Without a card it changes nothing here."),
    ],
)  # fmt: skip
def test_a_price_says_what_is_needed_saved_and_cost(
    field: str, price: MemoryPlan, now: MemoryPlan | None, card: bool, text: str
) -> None:
    assert (
        price_text(Price(field=field, choice="x", chosen=False, plan=price), now, card=card) == text
    )


def test_what_does_not_fit_says_by_how_much() -> None:
    short = WontFit(short_of="vram", needed_bytes=80 * GB, available_bytes=16 * GB, cure="Smaller.")
    price = Price(field="offload", choice="none", chosen=False, wont_fit=short)
    assert price_text(price, None, card=True) == "Does not fit: 80.0 of 16.0 GB"


def test_a_lone_problem_of_a_field_is_said_above_the_button_in_its_own_words() -> None:
    empty = Problem(code="bad_prompt", what="The prompt is empty.", cure="Say it.", field="prompt")
    steps = Problem(code="bad_steps", what="Steps cannot be “0”.", field="steps")
    whole = Problem(code="no_card", what="There is no card.")
    assert problems_text([empty]) == "The prompt is empty. Say it."
    assert problems_text([empty, steps]) == words.FIX_FIELDS
    assert problems_text([whole, steps]) == "There is no card."
