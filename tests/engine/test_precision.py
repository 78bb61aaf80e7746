"""What is computed in which type."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import PLAN, Generate
from tests.engine.test_resume import pictures
from wan22_app.adapters.files import read_recipe
from wan22_app.domain.catalog import Precision
from wan22_app.engine.engine import Engine

HALF = PLAN.model_copy(update={"vae_precision": "bf16"})


def test_the_decoders_precision_changes_the_pictures_and_not_the_latents(
    generate: Generate,
) -> None:
    exact = generate("demo-ti2v", image=True).done
    before = pictures(exact.video)
    half = generate("demo-ti2v", image=True, plan=HALF).done
    assert half.latents_sha256 == exact.latents_sha256, "the image is encoded in fp32"
    recipe = read_recipe(Path(half.video))
    assert recipe is not None
    assert recipe.plan.vae_precision == "bf16"
    difference = abs(pictures(half.video).astype(int) - before.astype(int)).mean()
    assert 0 < difference < 3


def test_a_model_in_another_decoder_precision_is_another_model(
    generate: Generate, engine: Engine
) -> None:
    generate("demo-t2v")
    warm = engine._loaded
    generate("demo-t2v")
    assert engine._loaded is warm
    generate("demo-t2v", plan=HALF)
    assert engine._loaded is not warm


def test_a_run_is_complete_when_it_read_its_text_and_made_its_steps(generate: Generate) -> None:
    """Only such a run's peaks are those of its plan."""
    first = generate("demo-t2v", prompt="a ball that nobody has read of")
    assert first.done.complete
    assert first.done.peak_ram_bytes > 10**8
    again = generate("demo-t2v", prompt="a ball that nobody has read of")
    assert not again.done.complete, "the text was known"
    assert generate("demo-t2v", prompt="another such ball").done.complete
    decoded = generate("demo-t2v", prompt="another such ball", again=True)
    assert not decoded.done.complete


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_what_a_model_keeps_in_fp32_stays_there(
    generate: Generate, engine: Engine, precision: Precision
) -> None:
    generate("demo-t2v", precision=precision, prompt=f"a ball in {precision}")
    loaded = engine._loaded
    assert loaded is not None
    pipeline: Any = loaded.text
    transformer, encoder = pipeline.transformer, loaded.reader._encoder
    assert encoder is not None
    wanted = getattr(torch, {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[precision])
    assert transformer.blocks[0].ffn.net[2].weight.dtype == wanted
    kept = transformer._keep_in_fp32_modules
    assert kept
    exact = [weight.dtype for name, weight in transformer.named_parameters()
             if set(kept) & set(name.split("."))]  # fmt: skip
    assert exact
    assert set(exact) == {torch.float32}
    assert pipeline.vae.dtype == torch.float32
    # UMT5 overflows in fp16.
    assert encoder.model.dtype == (torch.bfloat16 if precision == "fp16" else wanted)
