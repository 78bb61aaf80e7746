"""Prices of choices in words."""

from typing import Literal

import pytest

from tests.values import PLAN
from wan22_app.domain.errors import Problem
from wan22_app.domain.memory import Considered
from wan22_app.domain.plan import Device, MemoryPlan, WontFit
from wan22_app.services.preferences import Price
from wan22_app.services.submission import Verdict
from wan22_app.web import words
from wan22_app.web.verdict import price_text, problems_text, verdict_view, way_text

GB = 10**9


def plan(vram: float, ram: float, seconds: float | None = None) -> MemoryPlan:
    memory = {"peak_vram_bytes": int(vram * GB), "peak_ram_bytes": int(ram * GB)}
    told = {"denoising": seconds} if seconds else {}
    return PLAN.model_copy(update={**memory, "seconds": told})


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
        ("tile", plan(0, 20), plan(0, 20), False, "20.0 GB main memory"),
        ("offload", plan(0, 20), plan(0, 20), False, "Without a card it changes nothing here."),
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


def test_a_plan_says_whether_its_figures_were_measured_here() -> None:
    card = Device(kind="cuda", name="card", total_bytes=16 * GB)
    guessed = plan(12, 70, 360)
    known = guessed.model_copy(update={"calibrated": True})
    texts = [
        verdict_view(Verdict(device=card, plan=each, seconds=120), pristine=False).text
        for each in (guessed, known)
    ]
    assert texts == [
        "Fits: about 12.0 of 16.0 GB on the card, about 2 min.",
        "Fits: about 12.0 of 16.0 GB on the card, as measured here, about 6 min.",
    ]


@pytest.mark.parametrize(
    ("against", "text"),
    [
        ("", "Taken. 12.0 GB on the card, 70 GB main memory, about 6 min, estimated."),
        ("time", "Would fit, but takes longer. 12.0 GB on the card, 70 GB main memory, about 6 min,"
         " estimated."),
        ("vram", "Too large for the card: 12.0 of 8.0 GB. 12.0 GB on the card, 70 GB main memory,"
         " about 6 min, estimated."),
    ],
)  # fmt: skip
def test_each_way_says_why_it_is_or_is_not_taken(
    against: Literal["", "vram", "time"], text: str
) -> None:
    way = Considered(plan=plan(12, 70, 360), against=against, needed_bytes=12 * GB,
                     available_bytes=8 * GB)  # fmt: skip
    assert way_text(way, card=True) == text
