"""The rungs of the ladder: each needs less memory, and it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import PLAN
from wan22_app.domain.events import Stage
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import (
    CHUNKS,
    OFFLOADS,
    TILES,
    Extent,
    Relief,
    eased,
    next_rung,
    stronger,
)

CARD = PLAN.model_copy(update={"device": "cuda:0"})
reliefs = st.builds(
    Relief,
    offload=st.sampled_from(OFFLOADS),
    keep=st.sampled_from(["all", "one"]),
    tile=st.sampled_from([None, *TILES]),
    chunk=st.sampled_from([None, *CHUNKS]),
)


def rungs(
    plan: MemoryPlan, stage: Stage, longest: int, *, tokens: int = 320, host: bool = False
) -> list[Relief]:
    """Everything that is tried, one after the other."""
    tried, made = list[Relief](), Extent(longest=longest, tokens=tokens)
    while (rung := next_rung(plan, stage, made, host=host)) is not None:
        tried.append(rung)
        plan = eased(plan, rung)
    return tried


def test_decoding_gets_smaller_tiles_then_more_offload() -> None:
    tried = rungs(CARD, Stage.DECODING, 832)
    assert [rung.tile for rung in tried] == [768, 512, 384, 256, 192, 128, 96, 64, 64, 64]
    assert [rung.offload for rung in tried][-2:] == ["model", "block"]


@pytest.mark.parametrize("stage", [Stage.LOADING, Stage.TEXT, Stage.DENOISING])
def test_other_stages_get_more_offload(stage: Stage) -> None:
    assert [rung.offload for rung in rungs(CARD, stage, 832)] == ["model", "block"]


def test_a_long_sequence_is_cut_into_smaller_chunks_at_last() -> None:
    tried = rungs(CARD, Stage.DENOISING, 832, tokens=9000)
    assert [(rung.offload, rung.chunk) for rung in tried] == [
        ("model", None), ("block", None), ("block", 2048), ("block", 512)
    ]  # fmt: skip
    assert eased(CARD, tried[-1]).chunk == 512
    on_host = rungs(PLAN, Stage.DENOISING, 832, tokens=1000, host=True)
    assert [rung.chunk for rung in on_host] == [None, 512], "longer chunks would change nothing"


def test_a_tile_is_smaller_than_the_picture() -> None:
    assert [rung.tile for rung in rungs(PLAN, Stage.DECODING, 128)] == [96, 64, 64]


def test_offload_is_no_cure_for_main_memory() -> None:
    assert rungs(CARD, Stage.DENOISING, 832, host=True) == [Relief(keep="one")]
    assert {rung.offload for rung in rungs(CARD, Stage.DECODING, 832, host=True)} == {"none"}


def test_on_the_processor_one_part_at_a_time_helps() -> None:
    assert rungs(PLAN, Stage.DENOISING, 832) == [Relief(keep="one")]
    assert rungs(PLAN, Stage.LOADING, 832) == [Relief(keep="one")]


@given(reliefs, reliefs)
def test_easing_never_takes_back(first: Relief, second: Relief) -> None:
    once = eased(CARD, first)
    twice = eased(once, second)
    assert OFFLOADS.index(twice.offload) >= OFFLOADS.index(once.offload)
    assert once.tile is None or (twice.tile is not None and twice.tile <= once.tile)
    assert twice.chunk <= once.chunk <= CARD.chunk
    assert once.keep == "all" or twice.keep == "one"
    assert eased(CARD, stronger(first, second)) == twice
    assert eased(CARD, Relief()) == CARD


def test_what_is_done_is_a_sentence() -> None:
    assert Relief(offload="block", tile=96).sentence() == "offload “block” and tiles of 96 pixels"
    assert Relief(keep="one").sentence() == "one part of the model in memory at a time"
    assert Relief(chunk=512).sentence() == "chunks of 512 tokens"
    assert Relief().sentence() == ""
