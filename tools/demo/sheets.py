"""Pictures to look at while training runs."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image


def save_sheet(path: Path, clips: Sequence[torch.Tensor], every: int = 4) -> None:
    """One row a clip ``[3, F, H, W]`` in -1..1, one column every few frames."""
    rows = [torch.cat(list(clip[:, ::every].unbind(1)), dim=2) for clip in clips]
    width = max(row.shape[2] for row in rows)
    rows = [torch.nn.functional.pad(row, (0, width - row.shape[2]), value=-1) for row in rows]
    pixels = torch.cat(rows, dim=1).add(1).mul(127.5).round().clamp(0, 255).byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
