"""What a machine's own jobs teach the next plans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.test_plan import HOST, card, request
from wan22_app.domain.catalog import GB, REAL_SPECS, T2V_A14B, TI2V_5B, ModelSpec, Size
from wan22_app.domain.events import Done
from wan22_app.domain.footprint import CONTEXT_BYTES, FRAGMENTATION
from wan22_app.domain.generation import GenerationRequest, LoraRef
from wan22_app.domain.measured import HEAP_BYTES, MARGIN, Measured, measure
from wan22_app.domain.memory import consider, plan_memory, ram_budget
from wan22_app.domain.plan import CHUNK, LEAST_CHUNK, Device, MemoryPlan, WontFit

CARD = card(16)


def done(vram: float, ram: float, seconds: dict[str, float] | None = None) -> Done:
    return Done(
        job_id="j", video="v", poster="p", width=1, height=1, frames=1, fps=1, latents_sha256="",
        seconds=seconds or {}, peak_allocated_bytes=int((vram - CONTEXT_BYTES) / FRAGMENTATION),
        peak_ram_bytes=int(ram), complete=True,
    )  # fmt: skip


def planned(
    spec: ModelSpec, wish: GenerationRequest, device: Device, *learned: Measured
) -> MemoryPlan:
    found = plan_memory(spec, wish, device, HOST, learned)
    assert isinstance(found, MemoryPlan)
    return found


def measured(
    spec: ModelSpec, wish: GenerationRequest, plan: MemoryPlan, device: Device, took: Done
) -> Measured:
    return measure(spec, wish, plan, device, ram_budget(HOST), took, "1")


def learn(spec: ModelSpec, wish: GenerationRequest, vram: float, ram: float) -> Measured:
    """A run that took these shares of what was foreseen."""
    plan = planned(spec, wish, CARD)
    took = done(vram * plan.peak_vram_bytes, ram * plan.peak_ram_bytes, {"denoising": 100})
    return measured(spec, wish, plan, CARD, took)


@given(st.sampled_from(REAL_SPECS), st.floats(0.3, 1), st.floats(0.3, 1))
def test_the_same_job_is_told_within_eight_percent_and_never_too_low(
    spec: ModelSpec, vram: float, ram: float
) -> None:
    wish = request(spec)
    before = planned(spec, wish, CARD)
    after = planned(spec, wish, CARD, learn(spec, wish, vram, ram))
    assert (before.calibrated, after.calibrated) == (False, True)
    took = vram * before.peak_vram_bytes
    assert took - 1 <= after.peak_vram_bytes <= 1.08 * took
    took = ram * before.peak_ram_bytes
    assert took - 1 <= after.peak_ram_bytes <= 1.08 * took + HEAP_BYTES
    assert after.seconds == pytest.approx({"denoising": 100})


def test_another_size_is_scaled_by_arithmetic_and_time_by_its_work() -> None:
    small, large = request(TI2V_5B, frames=81), request(TI2V_5B, frames=121)
    before, after = (
        planned(TI2V_5B, large, CARD, *learned) for learned in ([], [learn(TI2V_5B, small, 0.5, 1)])
    )
    assert after.peak_vram_bytes == pytest.approx(0.5 * MARGIN * before.peak_vram_bytes)
    assert after.seconds["denoising"] > 150, "attention grows with the square"
    halved = request(TI2V_5B, frames=81, steps=25)
    found = planned(TI2V_5B, halved, CARD, learn(TI2V_5B, small, 0.5, 1))
    assert found.seconds["denoising"] == pytest.approx(50)


def test_of_several_sizes_the_least_kind_speaks_for_a_new_one() -> None:
    learned = [learn(TI2V_5B, request(TI2V_5B, frames=frames), share, 1)
               for frames, share in ((41, 0.9), (81, 0.5))]  # fmt: skip
    bare = planned(TI2V_5B, request(TI2V_5B), CARD)
    found = planned(TI2V_5B, request(TI2V_5B), CARD, *learned)
    assert found.peak_vram_bytes == pytest.approx(0.9 * MARGIN * bare.peak_vram_bytes)
    same = planned(TI2V_5B, request(TI2V_5B, frames=81), CARD, *learned)
    known = planned(TI2V_5B, request(TI2V_5B, frames=81), CARD)
    assert same.peak_vram_bytes == pytest.approx(0.5 * MARGIN * known.peak_vram_bytes)


@pytest.mark.parametrize(
    "other", [{"precision": "fp16"}, {"vae_precision": "bf16"}, {"offload": "model"}]
)
def test_other_placements_are_strangers(other: dict[str, object]) -> None:
    learned = learn(TI2V_5B, request(TI2V_5B, offload="block"), 0.5, 0.5)
    wish = request(TI2V_5B, **{"offload": "block", **other})
    assert planned(TI2V_5B, wish, card(48), learned) == planned(TI2V_5B, wish, card(48))


def test_a_placement_that_took_less_than_foreseen_is_chosen_again_where_it_fits() -> None:
    """Arithmetic is careful: a card may hold what it was not trusted with."""
    wish = request(TI2V_5B, tile=256)
    tight = card(20)
    assert planned(TI2V_5B, wish, tight).offload != "none"
    forced = request(TI2V_5B, tile=256, offload="none")
    large = card(48)
    plan = planned(TI2V_5B, forced, large)
    took = done(0.6 * plan.peak_vram_bytes, GB)
    learned = measured(TI2V_5B, forced, plan, large, took)
    other = measured(TI2V_5B, forced, plan.model_copy(update={"tile": 512}), large, took)
    assert planned(TI2V_5B, wish, tight, learned, other).offload == "none"


def test_one_that_took_more_is_not() -> None:
    wish = request(T2V_A14B)
    device = card(48)
    plan = planned(T2V_A14B, wish, device)
    assert plan.offload == "model"
    took = done(1.5 * plan.peak_vram_bytes, GB)
    learned = measured(T2V_A14B, wish, plan, device, took)
    assert planned(T2V_A14B, wish, device, learned).offload == "block"


@given(
    st.sampled_from(REAL_SPECS),
    st.floats(4, 100),
    st.lists(st.tuples(st.floats(0.2, 3), st.floats(0.2, 3)), max_size=4),
)
def test_no_plan_is_over_budget_whatever_was_learned(
    spec: ModelSpec, gigabytes: float, shares: list[tuple[float, float]]
) -> None:
    learned = [learn(spec, request(spec), *each) for each in shares]
    device = card(gigabytes)
    found = plan_memory(spec, request(spec), device, HOST, learned)
    if isinstance(found, WontFit):
        assert found.needed_bytes > found.available_bytes
    else:
        assert found.peak_vram_bytes <= device.total_bytes


def test_each_other_way_says_what_speaks_against_it() -> None:
    ways = consider(T2V_A14B, request(T2V_A14B), CARD, HOST)
    told = {(way.plan.offload, way.plan.keep, way.plan.chunk): way.against for way in ways}
    assert told == {
        ("none", "all", CHUNK): "vram",
        ("model", "all", CHUNK): "vram",
        ("block", "all", CHUNK): "",
        ("block", "all", LEAST_CHUNK): "time",
        ("none", "one", CHUNK): "vram",
        ("model", "one", CHUNK): "vram",
        ("block", "one", CHUNK): "time",
        ("block", "one", LEAST_CHUNK): "time",
    }
    short = next(way for way in ways if way.against == "vram")
    assert short.needed_bytes == short.plan.peak_vram_bytes > short.available_bytes == 16 * GB


def test_plans_of_older_videos_are_read() -> None:
    old = {"device": "cpu", "precision": "fp32", "offload": "none", "tile": None,
           "peak_vram_bytes": 0, "peak_ram_bytes": 1}  # fmt: skip
    assert MemoryPlan.model_validate({**old, "seconds": None}).seconds == {}
    assert MemoryPlan.model_validate({**old, "seconds": 7.5}).seconds == {"denoising": 7.5}


@given(st.sampled_from(REAL_SPECS), st.floats(0.9, 1), st.sampled_from([8, 12, 16, 24]))
def test_what_has_just_fitted_is_not_refused_for_its_margin(
    spec: ModelSpec, share: float, gigabytes: float
) -> None:
    wish, device = request(spec), card(gigabytes)
    plan = planned(spec, wish, device)
    took = done(share * device.total_bytes, share * ram_budget(HOST))
    again = planned(spec, wish, device, measured(spec, wish, plan, device, took))
    assert (again.offload, again.keep) == (plan.offload, plan.keep)


def test_a_warm_run_does_not_hide_what_loading_took() -> None:
    wish = request(TI2V_5B)
    cold, warm = learn(TI2V_5B, wish, 0.5, 0.9), learn(TI2V_5B, wish, 0.6, 0.2)
    cold = cold.model_copy(update={"rates": {**cold.rates, "loading": 9.0}})
    both = warm.after([cold])
    assert (both.peak_vram, both.peak_ram) == (warm.peak_vram, cold.peak_ram)
    assert both.rates == {**warm.rates, "loading": 9.0}
    other = learn(TI2V_5B, request(TI2V_5B, frames=81), 0.5, 0.9)
    assert warm.after([other]) == warm


def test_a_lora_is_another_setup() -> None:
    lora = LoraRef(file="style.safetensors")
    wish = request(TI2V_5B).model_copy(update={"loras": (lora,)})
    learned = learn(TI2V_5B, request(TI2V_5B), 0.5, 0.5)
    assert not planned(TI2V_5B, wish, CARD, learned).calibrated


def test_a_chosen_tile_that_is_larger_than_the_picture_is_foreseen_in_one_piece() -> None:
    wish, device = (
        request(T2V_A14B, Size(width=832, height=480), tile=1024, offload="block"),
        card(12),
    )
    plan = planned(T2V_A14B, wish, device)
    assert plan.tile is None
    took = done(plan.peak_vram_bytes, plan.peak_ram_bytes)
    assert measured(T2V_A14B, wish, plan, device, took).foreseen_vram == plan.peak_vram_bytes
