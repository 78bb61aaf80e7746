"""Eight-bit weights: where each kind is allowed, and what is foreseen for it."""

from typing import get_args

import pytest

from tests.values import a_request
from wan22_app.domain.attention import attention_refusal, eight_bit
from wan22_app.domain.catalog import (
    DEMO_T2V,
    GB,
    T2V_A14B,
    Attention,
    Compilation,
    Precision,
    Quantization,
    TextQuantization,
)
from wan22_app.domain.compilation import compilation_refusal
from wan22_app.domain.defaults import GenerationDefaults
from wan22_app.domain.errors import InvalidRequest
from wan22_app.domain.footprint import as_loaded, foresee, scale_of
from wan22_app.domain.lighter import lighter
from wan22_app.domain.memory import plan_memory
from wan22_app.domain.plan import Device, Host, Keep, MemoryPlan, Offload, WontFit
from wan22_app.domain.quantization import KINDS, device_refusal

CPU = Device(kind="cpu", name="a processor")
KINDS_OF_ALL = get_args(Quantization)


def card(*capability: int, gb: float = 16) -> Device:
    return Device(
        kind="cuda",
        name="a card",
        total_bytes=int(gb * GB),
        capability=(capability[0], capability[1]),
    )


def test_every_kind_is_known() -> None:
    assert set(KINDS) == set(KINDS_OF_ALL)


@pytest.mark.parametrize(
    ("kind", "device", "allowed"),
    [
        ("int8", CPU, True),
        ("int8-dynamic", CPU, True),
        ("fp8", CPU, True),
        ("fp8-dynamic", CPU, False),
        ("int8", card(7, 5), True),
        ("int8-dynamic", card(7, 5), False),
        ("int8-dynamic", card(8, 6), True),
        ("fp8-dynamic", card(8, 6), False),
        ("fp8-dynamic", card(8, 9), True),
        ("fp8-dynamic", card(9, 0), True),
        ("fp8-dynamic", card(12, 0), True),
    ],
)
def test_a_machine_that_cannot_compute_a_kind_is_told_so(
    kind: Quantization, device: Device, allowed: bool
) -> None:
    refusal = device_refusal(kind, device)
    assert (refusal is None) is allowed
    if refusal is not None:
        assert device.name in refusal.cause
        assert refusal.field == "quantization"


@pytest.mark.parametrize("precision", get_args(Precision))
@pytest.mark.parametrize("kind", KINDS_OF_ALL)
@pytest.mark.parametrize("text", get_args(TextQuantization))
def test_quantized_weights_compute_in_bf16_alone(
    kind: Quantization, text: TextQuantization, precision: Precision
) -> None:
    fields = {"quantization": kind, "text_quantization": text, "precision": precision}
    if precision == "bf16" or (kind, text) == ("none", "none"):
        assert a_request(**fields).quantization == kind
        return
    with pytest.raises(InvalidRequest) as refused:
        a_request(**fields)
    assert [problem.code for problem in refused.value.problems] == ["quantization_precision"]
    assert precision in refused.value.problems[0].what


@pytest.mark.parametrize("kind", KINDS_OF_ALL[1:])
@pytest.mark.parametrize("offload", ["none", "model", "block"])
@pytest.mark.parametrize("keep", ["all", "one"])
def test_half_the_weights_are_foreseen(kind: Quantization, offload: Offload, keep: Keep) -> None:
    device = card(9, 0, gb=80)
    one_size = {"tile": 128, "width": 832, "height": 480}
    asked = a_request(T2V_A14B, quantization=kind, **one_size)
    plain = foresee(T2V_A14B, a_request(T2V_A14B, **one_size), device, offload, keep)
    less = foresee(T2V_A14B, asked, device, offload, keep)
    saved = plain.peak_vram_bytes - less.peak_vram_bytes
    costs = T2V_A14B.costs
    if offload == "block":
        # What is unpacked, or computed in eight bits, takes some of it back.
        assert 0.2 * costs.block_bytes < saved < 1.6 * costs.block_bytes
    else:
        experts = 2 if (offload, keep) == ("none", "all") else 1
        assert saved == pytest.approx(experts * costs.transformer_bytes / 2, rel=0.1)


def test_a_quantized_model_fits_where_the_plain_one_does_not() -> None:
    host = Host(total_bytes=48 * GB, available_bytes=40 * GB, cores=8)
    kept = {"keep": "all", "width": 832, "height": 480}
    plain = plan_memory(T2V_A14B, a_request(T2V_A14B, **kept), card(8, 9), host)
    eight = plan_memory(
        T2V_A14B,
        a_request(T2V_A14B, quantization="int8", text_quantization="int8", **kept),
        card(8, 9),
        host,
    )
    assert isinstance(plain, WontFit)
    assert isinstance(eight, MemoryPlan)
    assert (eight.quantization, eight.text_quantization) == ("int8", "int8")


def test_the_default_is_for_models_in_bf16() -> None:
    defaults = GenerationDefaults(quantization="int8", text_quantization="int8")
    assert defaults.fields(T2V_A14B)["quantization"] == "int8"
    assert defaults.fields(DEMO_T2V)["quantization"] == "none"
    assert defaults.fields(DEMO_T2V)["text_quantization"] == "none"


PACKED = T2V_A14B.model_copy(
    update={
        "name": "T2V-A14B Q4_K_M",
        "packed": "Q4_K_M",
        "costs": T2V_A14B.costs.model_copy(
            update={"transformer_bytes": 9 * GB, "block_bytes": int(0.22 * GB)}
        ),
    }
)


def test_what_is_packed_already_is_not_quantized_again() -> None:
    with pytest.raises(InvalidRequest) as refused:
        a_request(PACKED, quantization="int8")
    assert refused.value.problem.field == "quantization"
    assert "Q4_K_M" in refused.value.problem.what
    assert a_request(PACKED).quantization == "none"


@pytest.mark.parametrize("precision", get_args(Precision))
def test_a_packed_file_takes_what_it_takes_whatever_it_computes_in(precision: Precision) -> None:
    request = a_request(PACKED, precision=precision)
    loaded = as_loaded(PACKED, request).costs
    assert loaded.transformer_bytes == pytest.approx(9 * GB, rel=0.001)
    assert loaded.text_bytes == scale_of(request) * T2V_A14B.costs.text_bytes


def test_a_packed_model_fits_where_the_whole_one_is_brought_block_by_block() -> None:
    """16 GB: two experts of 28.6 GB visit in blocks, 9 GB come as a whole."""
    machine = card(8, 9), Host(total_bytes=64 * GB, available_bytes=60 * GB, cores=16)
    small = {"width": 832, "height": 480}
    whole = plan_memory(T2V_A14B, a_request(T2V_A14B, **small), *machine)
    packed = plan_memory(PACKED, a_request(PACKED, **small), *machine)
    assert isinstance(packed, MemoryPlan)
    assert packed.offload == "model"
    assert not isinstance(whole, MemoryPlan) or whole.offload == "block"


def test_unpacking_takes_memory_beside_the_file() -> None:
    request = a_request(PACKED)
    plain = PACKED.model_copy(update={"packed": ""})
    more = [
        foresee(spec, request, card(8, 9, gb=4), "model", "all").peak_vram_bytes
        for spec in (plain, PACKED)
    ]
    matrix = PACKED.attention_width * PACKED.feed_forward
    assert more[1] - more[0] >= 4 * 2 * matrix


def test_with_consent_a_packed_model_goes_on_to_a_smaller_picture() -> None:
    request = a_request(PACKED)
    less = lighter(PACKED, request, request)
    assert less is not None
    assert (less.quantization, less.width < request.width) == ("none", True)


SAGE = Device(kind="cuda", name="a card", capability=(8, 9), attention=("flash", "sage"))


@pytest.mark.parametrize(
    ("name", "precision", "device", "code"),
    [
        ("native", "fp32", CPU, None),
        ("flash", "bf16", SAGE, None),
        ("sage", "fp16", SAGE, None),
        ("sage", "fp32", SAGE, "attention_precision"),
        ("cudnn", "bf16", SAGE, "attention_untried"),
        ("sage", "bf16", card(8, 9), "attention_untried"),
        ("flash", "bf16", CPU, "attention_untried"),
    ],
)
def test_attention_that_has_not_passed_is_refused(
    name: Attention, precision: Precision, device: Device, code: str | None
) -> None:
    found = attention_refusal(name, precision, device)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("name", "device", "code"),
    [
        ("none", CPU, None),
        ("regional", SAGE.model_copy(update={"compilation": ("regional",)}), None),
        ("regional", SAGE, "compilation_untried"),
        ("regional", CPU, "compilation_untried"),
    ],
)
def test_compilation_that_has_not_passed_is_refused(
    name: Compilation, device: Device, code: str | None
) -> None:
    found = compilation_refusal(name, device)
    assert (found.code if found else None) == code


def test_a_card_s_lossy_way_of_attention_is_the_one_that_passed() -> None:
    assert eight_bit(SAGE) == "sage"
    assert eight_bit(card(8, 9)) == "native"


def test_a_default_of_quantization_is_not_for_what_is_packed() -> None:
    standing = GenerationDefaults(quantization="int8", text_quantization="int8")
    found = standing.fields(PACKED)
    assert (found["quantization"], found["text_quantization"]) == ("none", "int8")
    assert standing.fields(T2V_A14B)["quantization"] == "int8"
