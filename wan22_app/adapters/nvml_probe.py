"""The card by NVML, main memory by psutil. Never imports torch, never raises."""

import os
import platform
import sys
from pathlib import Path

import psutil
import pynvml

from wan22_app.domain.memory import Device, Host

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class NvmlProbe:
    """Probe over NVML and psutil."""

    def device(self) -> Device:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return Device(kind="cpu", name=_processor())
        try:
            return _card() or Device(kind="cpu", name=_processor())
        except pynvml.NVMLError:
            return Device(kind="cpu", name=_processor())
        finally:
            pynvml.nvmlShutdown()

    def host(self) -> Host:
        memory = psutil.virtual_memory()
        total = min(memory.total, _container_limit())
        return Host(
            total_bytes=total,
            available_bytes=min(memory.available, total),
            cores=_cores(),
        )


def _card() -> Device | None:
    """The first card that CUDA would show; torch numbers the visible ones from 0."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return None
    if pynvml.nvmlDeviceGetCount() == 0:
        return None
    first = (visible or "0").split(",")[0].strip()
    handle = pynvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return Device(
        kind="cuda",
        name=name.decode() if isinstance(name, bytes) else name,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
    )


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
