"""Compiled regions: as near as rounding allows, with everything that stands around them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from tests.engine.conftest import Generate, Latents
from tests.engine.test_loras import matrices, write
from tests.values import PLAN
from wan22_app.domain.compilation import MOST_ERROR
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.trials import Tried
from wan22_app.engine.regions import tried

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("g++") or shutil.which("clang++")),
        reason="a processor's kernels are compiled by a C++ compiler, and none is installed",
    ),
]
BLOCKS = PLAN.model_copy(update={"offload": "block"})
COMPILED = {"compilation": "regional"}
LAYOUTS = (("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True))
NEAR = 1e-3
"""Distance of the final latents over their length; 4e-6 to 4e-5 were measured in fp32."""


@pytest.mark.parametrize(("key", "image"), LAYOUTS)
def test_it_is_near_and_leaves_no_trace(latents: Latents, key: str, image: bool) -> None:
    plain = latents(key, image=image)
    found = latents(key, image=image, **COMPILED)
    distance = float((found - plain).norm() / plain.norm())
    assert 0 < distance < NEAR, distance
    assert torch.equal(latents(key, image=image), plain), "warm, and back"


def test_nothing_is_compiled_anew_for_other_strengths_of_a_lora_and_other_lengths(
    generate: Generate, tmp_path: Path
) -> None:
    file = write(tmp_path / "x.safetensors", matrices(("attn1.to_q", "ffn.net.2")))

    def run(strength: float, **options: Any) -> str:
        refs = (LoraRef(file="x.safetensors", strength=strength),)
        found = generate(
            "demo-t2v", loras=refs, lora_paths=(file[1],), plan=BLOCKS, **COMPILED, **options
        )
        return found.done.latents_sha256

    first = {run(0.5), run(0.5, frames=13)}
    before = counters["stats"]["unique_graphs"]
    assert before > 0
    found = first | {run(1.0), run(0.7), run(0.5, width=96), run(0.5, frames=17)}
    assert len(found) == 6
    assert counters["stats"]["unique_graphs"] == before


def test_it_passes_its_trial_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "wan22_app.engine.regions", "regional", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, check=True)
    found = Tried.model_validate_json(done.stdout.splitlines()[-1])
    assert found.passed
    assert found.error is not None
    assert 0 < found.error < MOST_ERROR / 2, "bf16 alone"


def test_what_cannot_be_compiled_is_a_reason_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    torch.compiler.reset()
    found = tried("regional", torch.device("cpu"))
    assert not found.passed
    assert found.why
