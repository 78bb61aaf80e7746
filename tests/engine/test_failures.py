"""What an exception means: only a fault of the card may pass by itself."""

import errno
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.conftest import PLAN, Generate, Make
from wan22_app.domain.generation import ImageRef
from wan22_app.engine.failures import BadNumbers, CannotWrite, failure
from wan22_app.engine.loras import BadLora
from wan22_app.engine.picture import BadImage


@pytest.mark.parametrize(
    ("error", "stage", "kind", "fatal"),
    [
        (RuntimeError("CUDA error: unspecified launch failure"), "denoising", "device", True),
        (RuntimeError("CUDA error: device is busy or unavailable"), "loading", "device", True),
        (torch.OutOfMemoryError("CUDA out of memory"), "decoding", "memory", False),
        (MemoryError(), "loading", "memory", False),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "decoding", "memory", False),
        (RuntimeError("CUDA error: out of memory"), "loading", "device", True),
        (OSError("The paging file is too small"), "loading", "memory", False),
        (OSError(errno.ENOMEM, "no memory"), "loading", "memory", False),
        (BadNumbers(), "denoising", "request", False),
        (BadImage("gone"), "image", "request", False),
        (CannotWrite("full"), "encoding", "storage", False),
        (BadLora("style"), "denoising", "request", False),
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


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_vram"),
        (RuntimeError("cuBLAS: CUBLAS_STATUS_ALLOC_FAILED"), "out_of_vram"),
        (RuntimeError("CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), "out_of_vram"),
        (RuntimeError("CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"), "out_of_ram"),
        (RuntimeError("unable to mmap: Cannot allocate memory (12)"), "out_of_ram"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_ram"),
    ],
)
def test_the_memory_that_ran_out_is_told_apart(work: Make, error: Exception, code: str) -> None:
    assert failure(error, work("demo-t2v"), "decoding").problem.code == code


@pytest.mark.parametrize("words", ["CUDA error: out of memory", "CUDA driver error: out of memory"])
def test_pinned_pages_that_were_refused_are_main_memory(work: Make, words: str) -> None:
    task = work("demo-t2v", plan=PLAN.model_copy(update={"offload": "block"}))
    failed = failure(RuntimeError(words), task, "loading")
    assert (failed.kind, failed.problem.code, failed.fatal) == ("memory", "out_of_ram", False)


def test_a_want_of_main_memory_is_told_apart_when_it_is_real(work: Make) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15, dtype=torch.uint8)
    assert failure(caught.value, work("demo-t2v"), "decoding").problem.code == "out_of_ram"


def test_an_image_that_is_gone_is_named(generate: Generate, tmp_path: Path, picture: Path) -> None:
    start = Path(shutil.copy(picture, tmp_path / "start.png"))
    image = ImageRef(sha256="0" * 64, width=96, height=80)
    start.write_bytes(start.read_bytes()[:200])
    failed = generate("demo-ti2v", image=image, start=start).failed
    assert (failed.kind, failed.problem.code) == ("request", "image_gone")
    assert str(start) in failed.problem.evidence


def test_a_video_of_no_numbers_is_no_video(generate: Generate, checkpoint: Path) -> None:
    part = next((checkpoint / "transformer_2").glob("*.safetensors"))
    weights = load_file(part)
    weights["proj_out.bias"].fill_(float("nan"))
    save_file(weights, part, metadata={"format": "pt"})
    failed = generate("demo-t2v", folder=checkpoint).failed
    assert (failed.kind, failed.problem.code) == ("request", "not_finite")
