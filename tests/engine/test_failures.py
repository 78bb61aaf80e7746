"""What an exception means: only a fault of the card may pass by itself."""

import pytest
import torch

from tests.engine.conftest import Make
from wan22_app.engine.failures import failure


@pytest.mark.parametrize(
    ("error", "stage", "kind", "fatal"),
    [
        (RuntimeError("CUDA error: unspecified launch failure"), "denoising", "device", True),
        (RuntimeError("CUDA error: device is busy or unavailable"), "loading", "device", True),
        (torch.OutOfMemoryError("CUDA out of memory"), "decoding", "memory", False),
        (MemoryError(), "loading", "memory", False),
        (ValueError("ours"), "denoising", "internal", False),
        (KeyError("a tensor"), "loading", "weights", False),
    ],
)
def test_each_kind_of_failure(
    work: Make, error: Exception, stage: str, kind: str, fatal: bool
) -> None:
    failed = failure(error, work("demo-t2v"), stage)
    assert (failed.kind, failed.fatal) == (kind, fatal)
    assert failed.problem.cure
