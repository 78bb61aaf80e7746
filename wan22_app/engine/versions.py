"""What decides about the numbers of a result."""

from importlib.metadata import version

import torch

from wan22_app.domain.output import LIBRARIES


def versions(app_version: str) -> dict[str, str]:
    """Versions that decide about the result."""
    return {"wan22_app": app_version, **libraries()}


def libraries() -> dict[str, str]:
    """Versions of the libraries that compute."""
    return {name: version(name) for name in LIBRARIES}


def device_name(device: str) -> str:
    """The card's name, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
