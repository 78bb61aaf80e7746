"""What decides about the numbers of a result."""

import contextlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import torch

from wan22_app.domain.output import LIBRARIES, computing
from wan22_app.domain.work import Work


def versions(app_version: str, names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Versions that decide about the result."""
    return {"wan22_app": app_version, **libraries(names)}


def libraries(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Versions of the libraries that compute, of those that are there under this name.

    A package may be installed under another name than it is imported by (flash_attn_interface).
    """
    found = dict[str, str]()
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def computing_in(work: Work) -> tuple[str, ...]:
    """Names of those that compute in a run."""
    return computing(work.request, work.plan, packed=bool(work.entry.spec.packed))


def device_name(device: str) -> str:
    """The card's name, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
