"""The doctor's sentences."""

from wan22_app.domain.catalog import DEMO_T2V, T2V_A14B, ModelEntry, WeightsState
from wan22_app.domain.plan import Device, Host
from wan22_app.services.doctor import device_check, host_check, weights_check


def test_a_machine_without_a_card_is_a_note_with_a_cure() -> None:
    check = device_check(Device(kind="cpu", name="AMD Ryzen 7"))
    assert check.level == "note"
    assert "AMD Ryzen 7" in check.what
    assert check.cure


def test_a_card_is_named_with_its_memory() -> None:
    card = Device(kind="cuda", name="RTX 4080", total_bytes=16 * 10**9, free_bytes=15 * 10**9)
    check = device_check(card)
    assert check.level == "ok"
    assert check.what == "RTX 4080, 15.0 of 16.0 GB free."


def test_little_main_memory_is_said() -> None:
    small = Host(total_bytes=8 * 10**9, available_bytes=4 * 10**9, cores=4)
    large = Host(total_bytes=64 * 10**9, available_bytes=4 * 10**9, cores=4)
    assert host_check(small).level == "note"
    assert host_check(large).level == "ok"


def test_missing_weights_are_a_note_and_damaged_ones_are_bad() -> None:
    missing = ModelEntry(spec=T2V_A14B, state=WeightsState.MISSING, problem="None.", cure="Get.")
    damaged = missing.model_copy(update={"state": WeightsState.DAMAGED})
    ready = ModelEntry(spec=DEMO_T2V, state=WeightsState.READY, folder="models/demo/t2v")
    assert weights_check(missing).level == "note"
    assert weights_check(damaged).level == "bad"
    assert weights_check(ready).level == "ok"
    assert "models/demo/t2v" in weights_check(ready).what
