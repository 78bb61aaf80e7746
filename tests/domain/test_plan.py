"""Where a run is placed: never over the budget, and as large in its tiles as there is room for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan22_app.domain.catalog import GB, I2V_A14B, REAL_SPECS, T2V_A14B, TI2V_5B, ModelSpec, Size
from wan22_app.domain.footprint import FRAGMENTATION
from wan22_app.domain.generation import GenerationRequest, ImageRef, LoraRef
from wan22_app.domain.memory import plan_memory, ram_budget
from wan22_app.domain.needs import needs
from wan22_app.domain.pace import duration
from wan22_app.domain.plan import CHUNK, LEAST_CHUNK, Device, Host, MemoryPlan, WontFit

PROCESSOR = Device(kind="cpu", name="cpu")
HOST = Host(total_bytes=10**12, available_bytes=10**12, cores=8)
IMAGE = ImageRef(sha256="0" * 64, width=100, height=100)
GIB = 1024**3


def request(spec: ModelSpec, size: Size | None = None, **fields: object) -> GenerationRequest:
    size = size or spec.size
    values: dict[str, object] = {"prompt": "x", "width": size.width, "height": size.height}
    if spec is I2V_A14B:
        values["image"] = IMAGE
    return GenerationRequest.build(spec, {**values, **fields}, 1)


def card(gigabytes: float) -> Device:
    size = int(gigabytes * GB)
    return Device(kind="cuda", name="card", total_bytes=size, free_bytes=size)


def plan(
    spec: ModelSpec, gigabytes: float, size: Size | None = None, **fields: object
) -> MemoryPlan:
    found = plan_memory(spec, request(spec, size, **fields), card(gigabytes), HOST)
    assert isinstance(found, MemoryPlan), found
    return found


@pytest.mark.parametrize(
    ("gigabytes", "tile"), [(8, 512), (12, 512), (16, 640), (24, 1024), (48, None)]
)
def test_a_larger_card_decodes_in_larger_tiles(gigabytes: float, tile: int | None) -> None:
    found = plan(T2V_A14B, gigabytes)
    assert found.tile == tile
    assert found.peak_vram_bytes <= gigabytes * GB


@pytest.mark.parametrize("spec", REAL_SPECS)
def test_720p_fits_into_a_card_that_is_sold_with_six_gigabytes(spec: ModelSpec) -> None:
    assert plan(spec, 6 * GIB / GB).offload == "block"


def test_a_tile_that_was_chosen_stays() -> None:
    assert plan(T2V_A14B, 48, tile=128).tile == 128
    assert plan(TI2V_5B, 6, tile=256).tile == 256


def test_on_the_processor_tiles_are_small() -> None:
    found = plan_memory(TI2V_5B, request(TI2V_5B), PROCESSOR, HOST)
    assert isinstance(found, MemoryPlan)
    assert found.tile == 256


CHOICES = {
    "offload": st.sampled_from(["auto", "none", "model", "block"]),
    "keep": st.sampled_from(["auto", "all", "one"]),
    "tile": st.sampled_from(["auto", 64, 128, 256]),
    "chunk": st.sampled_from(["auto", 512, 2048, 65536]),
    "vae_precision": st.sampled_from(["fp32", "bf16"]),
    "precision": st.sampled_from(["bf16", "fp16", "fp32"]),
    "frames": st.integers(1, 121),
}


@given(
    st.sampled_from(REAL_SPECS),
    st.data(),
    st.one_of(st.floats(1, 200).map(lambda size: card(size)), st.just(PROCESSOR)),
    st.floats(1, 300),
    st.fixed_dictionaries(CHOICES),
)
def test_every_plan_keeps_within_the_machine_and_to_what_was_chosen(
    spec: ModelSpec,
    data: st.DataObject,
    device: Device,
    host_gb: float,
    chosen: dict[str, object],
) -> None:
    wish = request(spec, data.draw(st.sampled_from(spec.sizes)), **chosen)
    found = plan_memory(spec, wish, device, host(host_gb))
    if isinstance(found, WontFit):
        assert found.needed_bytes > found.available_bytes
        assert found.cure
        return
    assert found.peak_vram_bytes <= device.total_bytes
    assert found.peak_ram_bytes <= ram_budget(host(host_gb))
    for name in ("precision", "vae_precision", "keep", "chunk"):
        assert chosen[name] in ("auto", getattr(found, name))
    if device is not PROCESSOR:
        assert chosen["offload"] in ("auto", found.offload)


def host(gigabytes: float) -> Host:
    size = int(gigabytes * GB)
    return Host(total_bytes=size, available_bytes=size, cores=8)


@pytest.mark.parametrize(
    ("card_gb", "host_gb", "keep", "offload"),
    [(16, 96, "all", "block"), (16, 64, "one", "block"), (48, 64, "one", "none"),
     (80, 64, "all", "none"), (48, 128, "all", "model")],
)  # fmt: skip
def test_where_main_memory_is_short_parts_come_in_their_turn(
    card_gb: float, host_gb: float, keep: str, offload: str
) -> None:
    found = plan_memory(T2V_A14B, request(T2V_A14B), card(card_gb), host(host_gb))
    assert isinstance(found, MemoryPlan), found
    assert (found.keep, found.offload) == (keep, offload)
    assert found.peak_ram_bytes <= ram_budget(host(host_gb))


def test_a_host_that_would_swap_is_refused() -> None:
    found = plan_memory(T2V_A14B, request(T2V_A14B), card(16), host(16))
    assert isinstance(found, WontFit)
    assert found.short_of == "ram"
    assert found.needed_bytes > found.available_bytes == ram_budget(host(16))


@given(
    st.sampled_from(REAL_SPECS),
    st.floats(4, 100),
    st.floats(4, 200),
    st.floats(0, 20),
    st.sampled_from(["auto", "none", "model", "block"]),
    st.sampled_from(["bf16", "fp32"]),
)
def test_more_memory_never_makes_it_worse(
    spec: ModelSpec, card_gb: float, host_gb: float, more: float, offload: str, precision: str
) -> None:
    wish = request(spec, offload=offload, precision=precision)
    found = plan_memory(spec, wish, card(card_gb), host(host_gb))
    if isinstance(found, WontFit):
        return
    assert found.peak_ram_bytes <= ram_budget(host(host_gb))
    for device, machine in (
        (card(card_gb + more), host(host_gb)),
        (card(card_gb), host(host_gb + more)),
    ):
        richer = plan_memory(spec, wish, device, machine)
        assert isinstance(richer, MemoryPlan)
        assert rank(spec, wish, richer, device) <= rank(spec, wish, found, device)


def test_short_chunks_are_taken_where_nothing_else_is_left_to_give() -> None:
    assert plan(T2V_A14B, 6.3).chunk == LEAST_CHUNK
    assert plan(T2V_A14B, 7).chunk == CHUNK


def rank(
    spec: ModelSpec, wish: GenerationRequest, found: MemoryPlan, device: Device
) -> tuple[int, float]:
    """What waits for the disk, then what takes longer, is worse."""
    return ("all", "one").index(found.keep), duration(spec, wish, found, device)


def test_moving_parts_is_better_than_tiles_that_overlap_a_lot() -> None:
    """All of TI2V-5B fits into 32 GB, and would leave the decoder tiles of 256 pixels."""
    found = plan(TI2V_5B, 32)
    assert (found.offload, found.tile) == ("model", 1024)
    assert plan(TI2V_5B, 32, tile=256).offload == "none"
    assert plan(TI2V_5B, 80).offload == "none"


def test_blocks_are_fetched_only_where_whole_parts_do_not_fit() -> None:
    for gigabytes, offload in ((12, "block"), (14, "model"), (24, "model")):
        assert plan(TI2V_5B, gigabytes).offload == offload


@pytest.mark.parametrize("spec", REAL_SPECS)
def test_what_a_model_needs_at_least_is_what_its_leanest_machine_has(spec: ModelSpec) -> None:
    """Neither less, which would be refused, nor more than is asked for."""
    wanted = needs(spec)
    device = Device(kind="cuda", name="card", total_bytes=wanted.vram, free_bytes=wanted.vram)
    enough = Host(total_bytes=wanted.ram, available_bytes=wanted.ram, cores=8)
    found = plan_memory(spec, request(spec), device, enough)
    assert isinstance(found, MemoryPlan), found
    short = enough.model_copy(update={"total_bytes": wanted.ram - GB // 10})
    assert isinstance(plan_memory(spec, request(spec), device, short), WontFit)
    small = device.model_copy(update={"total_bytes": wanted.vram - GB // 10})
    assert isinstance(plan_memory(spec, request(spec), small, enough), WontFit)


def test_loras_are_part_of_what_is_needed() -> None:
    """A distilled pair of rank 64: 0.6 GB for each expert, which the card must hold with it."""
    weights = 307_000_000
    pair = tuple(
        LoraRef.model_validate({"file": half, "expert": half, "weights": weights})
        for half in ("high", "low")
    )
    size, large = Size(width=832, height=480), card(141)

    def peak(offload: str, *loras: LoraRef) -> MemoryPlan:
        found = plan_memory(
            T2V_A14B,
            request(T2V_A14B, size, offload=offload, tile=128, loras=loras),
            large,
            host(256),
        )
        assert isinstance(found, MemoryPlan)
        return found

    for offload, times in (("none", 2), ("model", 1), ("block", 3 / T2V_A14B.blocks)):
        more = peak(offload, *pair).peak_vram_bytes - peak(offload).peak_vram_bytes
        assert more == pytest.approx(FRAGMENTATION * 2 * weights * times, rel=0.02)
    held = peak("block", *pair).peak_ram_bytes - peak("block").peak_ram_bytes
    assert held == pytest.approx(2 * 2 * weights, rel=0.02)
