"""The card by NVML, main memory by psutil. Never imports torch, never raises."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pynvml
from pydantic import ValidationError

from wan22_app.domain.figures import Figures
from wan22_app.domain.plan import Device, Host
from wan22_app.domain.trials import Trials

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class NvmlProbe:
    """Probe over NVML and psutil. ``disk`` is a folder on the disk whose space counts,
    ``trials`` the file where an engine keeps its trials."""

    def __init__(self, disk: Path, trials: Path, nvml: Any = pynvml):
        self._disk = disk
        self._trials = trials
        self._nvml = nvml
        psutil.cpu_percent()  # the first answer of psutil means nothing: it has no interval yet

    def device(self) -> Device:
        with self._card() as handle:
            if handle is not None:
                return self._device(handle)
        return Device(kind="cpu", name=_processor())

    def host(self) -> Host:
        memory = psutil.virtual_memory()
        total = min(memory.total, _container_limit())
        return Host(
            total_bytes=total,
            available_bytes=min(memory.available, total),
            cores=_cores(),
        )

    def figures(self, now: datetime) -> Figures:
        host, disk = self.host(), psutil.disk_usage(str(self._disk))
        with self._card() as handle:
            card = self._card_figures(handle) if handle is not None else {}
        return Figures(
            at=now,
            cpu_percent=psutil.cpu_percent(),
            ram_used=host.total_bytes - host.available_bytes,
            ram_total=host.total_bytes,
            disk_free=disk.free,
            disk_total=disk.total,
            **card,
        )

    @contextlib.contextmanager
    def _card(self) -> Iterator[Any]:
        """The handle of the first card that CUDA would show; None without one or its driver."""
        try:
            self._nvml.nvmlInit()
        except pynvml.NVMLError:
            yield None
            return
        try:
            yield self._handle()
        finally:
            with contextlib.suppress(pynvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _handle(self) -> Any:
        """torch numbers the visible cards from 0, so the first name in the variable is its 0."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None and visible.strip() in ("", "-1"):
            return None
        first = (visible or "0").split(",")[0].strip()
        try:
            if self._nvml.nvmlDeviceGetCount() == 0:
                return None
            return self._nvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)
        except pynvml.NVMLError:
            return None

    def _device(self, handle: Any) -> Device:
        try:
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            name = self._nvml.nvmlDeviceGetName(handle)
            driver = self._nvml.nvmlSystemGetDriverVersion()
            capability = self._nvml.nvmlDeviceGetCudaComputeCapability(handle)
        except pynvml.NVMLError:
            return Device(kind="cpu", name=_processor())
        trials = read_trials(self._trials)
        if trials is None or trials.device != _text(name):
            trials = Trials(device=_text(name), versions="")
        return Device(
            kind="cuda",
            name=_text(name),
            attention=trials.attention,
            compilation=trials.compilation,
            driver=_text(driver),
            capability=(int(capability[0]), int(capability[1])),
            total_bytes=int(memory.total),
            free_bytes=int(memory.free),
        )

    def _card_figures(self, handle: Any) -> dict[str, Any]:
        """What this card tells: some laptops' tell no load, some virtual ones no memory."""
        found: dict[str, Any] = {}
        with contextlib.suppress(pynvml.NVMLError):
            found["gpu_percent"] = float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        with contextlib.suppress(pynvml.NVMLError):
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            used = int(memory.total) - int(memory.free)
            found |= {"vram_used": used, "vram_total": int(memory.total)}
        return found


def read_trials(path: Path) -> Trials | None:
    """What an engine has tried on this machine; None before it has."""
    try:
        return Trials.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _text(told: str | bytes) -> str:
    """NVML's older bindings answer in bytes."""
    return told.decode() if isinstance(told, bytes) else told


def _processor() -> str:
    """A name that a person recognises; Linux hides it in a file."""
    if sys.platform == "linux":
        for line in _lines(Path("/proc/cpuinfo")):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "the processor"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _container_limit() -> int:
    """The cgroup's memory limit; what the machine has is of no use beyond it."""
    text = "".join(_lines(CGROUP_LIMIT)).strip()
    return int(text) if text.isdigit() else sys.maxsize


def _cores() -> int:
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return len(process.cpu_affinity() or [0])
    return psutil.cpu_count() or 1
