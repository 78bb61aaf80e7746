"""What TI2V's demo has from T2V's: turned latents, a deeper transformer, the experts' answers."""

import random

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from tools.demo import flow
from tools.demo.clips import LATENTS, Clips
from tools.demo.lift import lifted, only_turned, turn, turned
from tools.demo.networks import A14B, FIVE_B, TEXT_WIDTH, Trunk, build_transformer, build_vae
from tools.demo.scenes import draw_scene

SMALL, DEEP = Trunk(1, 32, 1), Trunk(1, 32, 2)
SIGMA = torch.tensor([0.2, 0.95])


@pytest.fixture
def trunk() -> WanTransformer3DModel:
    torch.manual_seed(1)
    return _spoken(build_transformer(A14B.channels, A14B.channels, SMALL))


def test_a_turn_keeps_lengths_and_angles() -> None:
    assert torch.allclose(turn().T @ turn(), torch.eye(A14B.channels), atol=1e-6)


def test_a_lifted_transformer_says_the_same_in_other_channels(trunk: WanTransformer3DModel) -> None:
    latents, text = torch.randn(2, A14B.channels, 2, 4, 6), torch.randn(2, 7, TEXT_WIDTH)
    with torch.no_grad():
        wanted = trunk(latents, SIGMA * 1000, text, return_dict=False)[0]
        noise = torch.randn(2, FIVE_B.channels, 2, 4, 6)
        beside = noise - turned(torch.einsum("oc,bothw->bcthw", turn(), noise))
        seen = lifted(trunk)(turned(latents) + beside, SIGMA * 1000, text, return_dict=False)[0]
    torch.testing.assert_close(seen, turned(wanted), atol=1e-5, rtol=1e-4)


def test_a_deepened_transformer_begins_as_the_one_it_is_made_from(
    trunk: WanTransformer3DModel,
) -> None:
    deep = _spoken(build_transformer(A14B.channels, A14B.channels, DEEP))
    latents, text = torch.randn(1, A14B.channels, 2, 4, 6), torch.randn(1, 7, TEXT_WIDTH)
    with torch.no_grad():
        wanted = trunk(latents, SIGMA[:1] * 1000, text, return_dict=False)[0]
        other = deep(latents, SIGMA[:1] * 1000, text, return_dict=False)[0]
        seen = flow.deepened(trunk, deep)(latents, SIGMA[:1] * 1000, text, return_dict=False)[0]
    assert not torch.allclose(other, wanted)
    torch.testing.assert_close(seen, wanted)


def test_the_vae_has_no_part_in_the_other_dimensions() -> None:
    torch.manual_seed(1)
    vae: AutoencoderKLWan = build_vae(FIVE_B).eval()
    only_turned(vae)
    with torch.no_grad():
        latents = vae.encode(torch.rand(1, 3, 1, 64, 64) * 2 - 1).latent_dist.mode()
        along = turned(torch.einsum("oc,bothw->bcthw", turn(), latents))
        torch.testing.assert_close(latents, along, atol=1e-5, rtol=1e-4)
        noise = torch.randn_like(latents)
        noise -= turned(torch.einsum("oc,bothw->bcthw", turn(), noise))
        seen = vae.decode(latents + noise, return_dict=False)[0]
        wanted = vae.decode(latents, return_dict=False)[0]
    torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("given", [False, True])
def test_without_a_frame_the_experts_say_what_to_learn(
    monkeypatch: pytest.MonkeyPatch, trunk: WanTransformer3DModel, given: bool
) -> None:
    monkeypatch.setattr(flow, "GIVEN", float(given))
    low = _spoken(build_transformer(A14B.channels, A14B.channels, SMALL))
    chance, text = random.Random(1), torch.randn(2, 7, TEXT_WIDTH)
    scenes = [draw_scene(chance, 64, 64) for _ in range(2)]
    clean, noise = torch.randn(2, 2, A14B.channels, 3, 8, 8)
    clips = Clips(scenes, {LATENTS: clean}, torch.zeros(2, 1, 3, 8, 8))
    batch = flow.FromFrame(trunk, low, 0.875)(chance, clips, noise, SIGMA, text)
    level = SIGMA.view(-1, 1, 1, 1, 1)
    mixed = (1 - level) * clean + level * noise
    assert torch.equal(batch.hidden[:, :, 1:], mixed[:, :, 1:])
    assert batch.timestep.shape == (2, 3 * 4 * 4), "one for each token"
    if given:
        assert batch.counted is not None
        assert batch.counted.flatten().tolist() == [0, 1, 1]
        assert torch.equal(batch.hidden[:, :, 0], clean[:, :, 0])
        assert batch.timestep[:, :16].abs().max() == 0
        assert torch.equal(batch.target, noise - clean)
        return
    assert batch.counted is None
    with torch.no_grad():
        for index, expert in ((0, low), (1, trunk)):
            own = slice(index, index + 1)
            wanted = expert(mixed[own], SIGMA[own] * 1000, text[own], return_dict=False)[0]
            torch.testing.assert_close(batch.target[own], wanted)


def _spoken(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """With weights that say something everywhere: fresh ones are zero where a block begins."""
    for value in transformer.parameters():
        value.data.add_(0.1 * torch.randn_like(value))
    return transformer.eval().requires_grad_(False)
