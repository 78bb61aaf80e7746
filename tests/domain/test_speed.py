"""The speeds, as fields of the form, and which of them a card is offered."""

import pytest

from wan22_app.domain.catalog import REAL_SPECS, T2V_A14B, TI2V_5B, ModelSpec
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.plan import Device
from wan22_app.domain.speed import (
    SPEEDS,
    STEP_CACHE,
    UNMEASURED,
    Calibration,
    Speed,
    fields_of,
    is_distilled,
    offered,
    only_distilled,
    speed_of,
)

PAIR = "wan2.2_t2v_lightx2v_4steps_lora_v1.1_*_noise.safetensors"


@pytest.mark.parametrize("spec", REAL_SPECS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_fields_are_recognised_however_their_numbers_are_typed(
    spec: ModelSpec, speed: Speed
) -> None:
    fields = fields_of(spec, speed)
    assert speed_of(spec, fields) == speed
    assert speed_of(spec, {**fields, "shift": f" {float(fields['shift']):.2f} "}) == speed
    assert speed_of(spec, {**fields, "steps": "17"}) is None
    assert speed_of(spec, {**fields, "steps": ""}) is None
    assert speed_of(spec, {**fields, "text_quantization": "int8"}) is None, "that is lossy, too"


def test_they_make_a_request() -> None:
    for spec in (T2V_A14B, TI2V_5B):
        exact, balanced, fast, turbo = (
            GenerationRequest.build(spec, {"prompt": "x", **fields_of(spec, speed)}, 1)
            for speed in SPEEDS
        )
        assert balanced == exact.model_copy(update={"quantization": "int8-dynamic"})
        assert fast == balanced.model_copy(update={"step_cache": STEP_CACHE})
        assert exact == GenerationRequest.build(spec, {"prompt": "x"}, 1)
        assert (turbo.sampler, turbo.steps, turbo.guidance, turbo.shift) == ("euler", 4, 1.0, 5.0)


@pytest.mark.parametrize(
    ("name", "distilled"),
    [
        (PAIR, True),
        ("Wan22-Lightning_HIGH.safetensors", True),
        ("style_4step.safetensors", True),
        ("dance_24steps.safetensors", False),
        ("4steppe_landscape.safetensors", False),
        ("painting.safetensors", False),
    ],
)
def test_a_name_says_whether_a_file_is_distilled(name: str, distilled: bool) -> None:
    assert is_distilled(name) is distilled


def test_one_is_taken_and_among_several_a_person_chooses() -> None:
    assert only_distilled(["a.safetensors", PAIR]) == PAIR
    assert only_distilled(["a.safetensors"]) is None
    assert only_distilled([PAIR, "other_lightning.safetensors"]) is None


ADA = Device(kind="cuda", name="a card", capability=(8, 9))


@pytest.mark.parametrize(
    ("device", "measured", "found"),
    [
        (ADA, {}, SPEEDS),
        (ADA, {"balanced": 26.0, "fast": 23.0}, SPEEDS),
        (ADA, {"balanced": 25.9, "fast": 23.0}, ("exact", "fast", "turbo")),
        (ADA, {"balanced": 41.0, "fast": 22.9}, ("exact", "balanced", "turbo")),
        (ADA.model_copy(update={"capability": (7, 5)}), {}, ("exact", "turbo")),
    ],
)
def test_a_speed_that_is_not_good_enough_on_a_card_is_not_offered_there(
    device: Device, measured: dict[Speed, float], found: tuple[Speed, ...]
) -> None:
    assert offered(T2V_A14B, device, Calibration(psnr=measured)) == found


def test_lossy_speeds_compute_what_was_calibrated_and_the_others_never() -> None:
    found = Calibration(attention="sage", step_cache=0.2)
    fields = {speed: fields_of(T2V_A14B, speed, found) for speed in SPEEDS}
    assert {speed: each["attention"] for speed, each in fields.items()} == {
        "exact": "native", "balanced": "sage", "fast": "sage", "turbo": "native"
    }  # fmt: skip
    assert [fields[speed]["step_cache"] for speed in SPEEDS] == ["0", "0", "0.2", "0"]
    assert speed_of(T2V_A14B, fields["fast"], found) == "fast"
    assert speed_of(T2V_A14B, fields["fast"]) is None, "not what is meant where nothing is known"


def test_what_is_packed_already_has_no_speed_that_packs_it() -> None:
    packed = T2V_A14B.model_copy(update={"packed": "Q8_0"})
    ada = Device(kind="cuda", name="a card", capability=(8, 9))
    assert offered(packed, ada, UNMEASURED) == ("exact", "turbo")
