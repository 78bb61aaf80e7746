"""LPIPS, where somebody has put the package and its weights: neither comes with the project.

``pip install lpips torchvision``, and AlexNet's weights where torch.hub keeps them: torchvision
fetches them at its first use on a machine with a network.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

Pictures = np.ndarray[Any, np.dtype[np.uint8]]
"""All frames ``[F, H, W, 3]``."""
WEIGHTS = "alexnet-owt-7be5be79.pth"


def lpips() -> Callable[[Pictures, Pictures], float] | str:
    """Mean distance of two videos' pictures, 0 for equal ones; or why it cannot be measured."""
    try:
        from lpips import LPIPS  # pyright: ignore[reportMissingImports]
    except ImportError:
        return "not measured: needs pip install lpips torchvision"
    if not (Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS).is_file():
        return f"not measured: {WEIGHTS} is not in {torch.hub.get_dir()}/checkpoints"
    with warnings.catch_warnings():
        # It asks torchvision for its weights in a way that torchvision deprecates.
        warnings.simplefilter("ignore")
        network = LPIPS(net="alex", verbose=False).eval()

    @torch.no_grad()
    def distance(one: Pictures, other: Pictures) -> float:
        pairs = zip(map(_tensor, one), map(_tensor, other), strict=True)
        return sum(float(network(a, b)) for a, b in pairs) / len(one)

    return distance


def _tensor(picture: Pictures) -> torch.Tensor:
    """``[1, 3, H, W]`` in -1..1."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
