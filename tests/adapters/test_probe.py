"""The probe against the system's own figures and a card of the test's making."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from wan22_app.adapters.inspection import tried as told_of
from wan22_app.adapters.nvml_probe import NvmlProbe
from wan22_app.domain.trials import Trials, Tried

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GIB = 1024**3


class FakeNvml:
    """One card; functions named in ``silent`` answer "not supported", as real cards do."""

    def __init__(self, silent: tuple[str, ...] = (), cards: int = 1, driver: bool = True):
        self.silent, self.cards, self.driver, self.open = silent, cards, driver, 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index >= self.cards:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return index

    def nvmlDeviceGetName(self, _handle: int) -> bytes:
        return b"NVIDIA GeForce RTX 4080"

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54"

    def nvmlDeviceGetCudaComputeCapability(self, _handle: int) -> list[int]:
        return [8, 9]

    def nvmlDeviceGetMemoryInfo(self, _handle: int) -> SimpleNamespace:
        self._refuse("memory")
        return SimpleNamespace(total=16 * GIB, free=5 * GIB, used=10 * GIB)

    def nvmlDeviceGetUtilizationRates(self, _handle: int) -> SimpleNamespace:
        self._refuse("load")
        return SimpleNamespace(gpu=73, memory=40)

    def _refuse(self, what: str) -> None:
        if what in self.silent:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture(autouse=True)
def visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_memory_and_disk_are_those_of_the_system(tmp_path: Path) -> None:
    figures = NvmlProbe(tmp_path, tmp_path / "trials.json", FakeNvml()).figures(NOW)
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(tmp_path)
    assert 0 < figures.ram_total <= memory.total
    assert figures.disk_total == disk.total
    # Both move while we look: a twentieth of the whole is far more than they do.
    assert abs(
        figures.ram_used - (figures.ram_total - min(memory.available, figures.ram_total))
    ) < (figures.ram_total / 20)
    assert abs(figures.disk_free - disk.free) < disk.total / 20


def test_the_load_is_that_of_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([0.0, 37.5])
    monkeypatch.setattr(psutil, "cpu_percent", lambda: next(answers))
    assert (
        NvmlProbe(tmp_path, tmp_path / "trials.json", FakeNvml()).figures(NOW).cpu_percent == 37.5
    )


def test_the_card_tells_its_load_and_memory(tmp_path: Path) -> None:
    nvml = FakeNvml()
    probe = NvmlProbe(tmp_path, tmp_path / "trials.json", nvml)
    figures = probe.figures(NOW)
    assert (figures.gpu_percent, figures.vram_used, figures.vram_total) == (73, 11 * GIB, 16 * GIB)
    device = probe.device()
    assert (device.kind, device.name, device.free_bytes) == (
        "cuda",
        "NVIDIA GeForce RTX 4080",
        5 * GIB,
    )
    assert device.capability == (8, 9)
    assert nvml.open == 0, "every look is closed again"


@pytest.mark.parametrize(
    ("nvml", "load", "memory"),
    [
        (lambda: FakeNvml(silent=("load",)), None, 11 * GIB),
        (lambda: FakeNvml(silent=("memory",)), 73, None),
        (lambda: FakeNvml(cards=0), None, None),
        (lambda: FakeNvml(driver=False), None, None),
    ],
)
def test_what_it_does_not_tell_is_none(
    tmp_path: Path, nvml: Callable[[], FakeNvml], load: float | None, memory: int | None
) -> None:
    figures = NvmlProbe(tmp_path, tmp_path / "trials.json", nvml()).figures(NOW)
    assert (figures.gpu_percent, figures.vram_used) == (load, memory)


@pytest.mark.parametrize("hidden", ["", "-1", "7"])
def test_a_hidden_card_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    probe = NvmlProbe(tmp_path, tmp_path / "trials.json", FakeNvml())
    assert probe.device().kind == "cpu"
    assert probe.figures(NOW).vram_total is None


def test_a_card_is_told_with_what_has_passed_on_it(tmp_path: Path) -> None:
    kept = tmp_path / "trials.json"
    probe = NvmlProbe(tmp_path, kept, FakeNvml())
    assert probe.device().attention == ()
    name = probe.device().name
    tried = (
        Tried(name="sage", passed=True, error=0.03, times=1.82),
        Tried(name="flash", passed=False, why="flash_attn is not installed"),
        Tried(name="regional", passed=True, error=0.003, times=1.31),
    )
    trials = Trials(device=name, versions="", tried=tried)
    kept.write_text(trials.model_dump_json())
    assert (probe.device().attention, probe.device().compilation) == (("sage",), ("regional",))
    told = {check.name: (check.level, check.what) for check in told_of(kept)}
    assert told == {
        "Attention sage": ("ok", "Passed. In eight bits, so lossy. 1.8 times as fast as without."),
        "Attention flash": ("note", "Not used: flash_attn is not installed."),
        "Compilation regional": ("ok", "Passed. 1.3 times as fast as without."),
    }
    kept.write_text(trials.model_copy(update={"device": "another card"}).model_dump_json())
    assert probe.device().attention == (), "another card was put in"
    kept.write_text("{")
    assert probe.device().attention == ()
    assert list(told_of(kept)) == []
