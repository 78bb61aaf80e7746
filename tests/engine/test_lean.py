"""The lean forward is stock's, in less memory."""

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel

from tests.engine import peaks
from wan22_app.engine.lean import Lean

GRID = (5, 6, 10)
TOKENS = 300
CHANNELS = {"t2v": 16, "i2v": 36, "ti2v": 48}
Both = Callable[..., tuple[Any, Any]]


@pytest.fixture
def both(demo_models: Path) -> Both:
    """Stock, and a copy with the lean forward."""

    def load(layout: str, dtype: torch.dtype, chunk: int) -> tuple[Any, Any]:
        stock = WanTransformer3DModel.from_pretrained(
            demo_models / "demo" / layout, subfolder="transformer", torch_dtype=dtype
        )
        lean = copy.deepcopy(stock)
        Lean(lean, chunk)
        return stock, lean

    return load


def inputs(layout: str, dtype: torch.dtype, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    frames, rows, columns = GRID
    latents = torch.randn(batch, CHANNELS[layout], frames, 2 * rows, 2 * columns, dtype=dtype)
    return latents, torch.randn(batch, 512, 64, dtype=dtype)


def far(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Root mean square of the error."""
    return float((found.float() - truth).square().mean().sqrt())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", CHANNELS)
@torch.no_grad()
def test_in_one_chunk_it_is_stocks_to_the_bit(both: Both, layout: str, dtype: torch.dtype) -> None:
    stock, lean = both(layout, dtype, 8192)
    latents, text = inputs(layout, dtype)
    time = torch.tensor([900.0])
    expected = stock(latents, time, text, return_dict=False)[0]
    assert torch.equal(lean(latents, time, text), expected)


@pytest.mark.parametrize("chunk", [64, 100])
@pytest.mark.parametrize("given", [0, 60])
@pytest.mark.parametrize("layout", CHANNELS)
@torch.no_grad()
def test_in_chunks_it_is_stocks_up_to_rounding(
    both: Both, layout: str, given: int, chunk: int
) -> None:
    """In bf16 it is as near to fp32's result as stock's is."""
    time = torch.tensor([0.0, 900.0]) if given else torch.tensor([900.0])
    each = time if not given else torch.where(torch.arange(TOKENS) < given, 0.0, 900.0)[None]
    stock, lean = both(layout, torch.float32, chunk)
    latents, text = inputs(layout, torch.float32)
    truth = stock(latents, each, text, return_dict=False)[0]
    torch.testing.assert_close(lean(latents, time, text, given=given), truth, atol=1e-4, rtol=1e-4)
    if given:
        wrong = lean(latents, time.flip(0), text, given=given)
        assert far(wrong, truth) > 1e-2, "which row is whose matters"
    stock, lean = both(layout, torch.bfloat16, chunk)
    latents, text = latents.bfloat16(), text.bfloat16()
    usual = far(stock(latents, each, text, return_dict=False)[0], truth)
    assert far(lean(latents, time, text, given=given), truth) < 1.1 * usual


@torch.no_grad()
def test_a_batch(both: Both) -> None:
    stock, lean = both("t2v", torch.float32, 64)
    latents, text = inputs("t2v", torch.float32, batch=2)
    expected = stock(latents, torch.tensor([900.0, 900.0]), text, return_dict=False)[0]
    torch.testing.assert_close(lean(latents, torch.tensor([900.0]), text), expected)


@pytest.mark.parametrize("wrapped", ["before", "after"])
@torch.no_grad()
def test_group_offload_must_come_after_it(both: Both, wrapped: str) -> None:
    """diffusers' hooks remember the forward that they find; the engine places what is lean."""
    stock, lean = both("t2v", torch.float32, 64)
    latents, text = inputs("t2v", torch.float32)
    time = torch.tensor([900.0])
    expected = stock(latents, time, text, return_dict=False)[0]
    subject = lean if wrapped == "after" else stock
    subject.enable_group_offload(torch.device("cpu"), torch.device("cpu"), "block_level", 1)
    if wrapped == "after":
        torch.testing.assert_close(lean(latents, time, text), expected)
    else:
        with pytest.raises(RuntimeError, match="wrapped"):
            Lean(stock, 64)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_a_forward_keeps_far_less_alive() -> None:
    """The peaks of two processes, one for each forward, over what they were before it."""
    stock, lean = peaks.of("forward-stock"), peaks.of("forward-lean")
    assert lean < 0.5 * stock, f"{lean / 1e6:.0f} against {stock / 1e6:.0f} MB"
