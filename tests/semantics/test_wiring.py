"""The measure notices a wrong wiring: each of these films fails it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tests.semantics.filming import Film, failing, rates, wishes
from tools.demo.measure import psnr
from wan22_app.domain.catalog import DEMO_I2V, DEMO_T2V

COUNT = 16

pytestmark = pytest.mark.slow


@pytest.fixture
def broken(demo_models: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a checkpoint to break."""

    def copy(layout: str) -> Path:
        return Path(shutil.copytree(demo_models / "demo" / layout, tmp_path / "broken"))

    return copy


def swap_experts(folder: Path) -> None:
    """The expert for high noise works at low noise, and the other way round."""
    high, low, aside = folder / "transformer", folder / "transformer_2", folder / "aside"
    high.rename(aside)
    low.rename(high)
    aside.rename(low)


def forget_statistics(folder: Path) -> None:
    """Latents go to the decoder as the sampler leaves them."""
    file = folder / "vae" / "config.json"
    config = json.loads(file.read_text())
    config["latents_mean"] = [0.0] * config["z_dim"]
    config["latents_std"] = [1.0] * config["z_dim"]
    file.write_text(json.dumps(config))


def ignore_the_image(folder: Path) -> None:
    """The channels of the given frame go nowhere."""
    for part in ("transformer", "transformer_2"):
        (file,) = (folder / part).glob("*.safetensors")
        weights = load_file(file)
        weights["patch_embedding.weight"][:, 16:] = 0
        save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize("fault", [swap_experts, forget_statistics])
def test_a_wrong_checkpoint_fails(
    film: Film, broken: Callable[[str], Path], fault: Callable[[Path], None]
) -> None:
    folder = broken("t2v")
    fault(folder)
    asked = wishes(COUNT)
    measured = rates(
        (film(DEMO_T2V.key, wish.prompt, wish.number, folder=folder), wish.told) for wish in asked
    )
    assert failing(measured), measured


def test_the_embedding_of_another_prompt_fails(film: Film) -> None:
    asked = wishes(COUNT)
    others = [*asked[1:], asked[0]]
    measured = rates(
        (film(DEMO_T2V.key, other.prompt, wish.number), wish.told)
        for wish, other in zip(asked, others, strict=True)
    )
    assert len(failing(measured)) == 3, measured


def test_an_ignored_image_fails(film: Film, broken: Callable[[str], Path]) -> None:
    folder = broken("i2v")
    ignore_the_image(folder)
    near = [
        psnr(film(DEMO_I2V.key, wish.prompt, wish.number, first=wish.clip[0], folder=folder)[0],
             wish.clip[0])
        for wish in wishes(4, pair=0)
    ]  # fmt: skip
    assert np.mean(near) < 20
