"""What makes training cheaper must not make it different."""

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import nn

from tools.demo.blocks import FoldedPadding, folding, gelu, quickened
from tools.demo.networks import (
    TEXT_LENGTH,
    TEXT_WIDTH,
    build_text_encoder,
    build_tokenizer,
    build_transformer,
)
from tools.demo.text import FOLDED, embed


def test_folded_padding_gives_the_result_of_the_whole_text() -> None:
    torch.manual_seed(1)
    transformer = build_transformer(16, 16).eval()
    hidden, times = torch.randn(2, 16, 2, 4, 4), torch.tensor([900.0, 100.0])
    text = torch.zeros(2, TEXT_LENGTH, TEXT_WIDTH)
    text[0, :9], text[1, :30] = torch.randn(9, TEXT_WIDTH), torch.randn(30, TEXT_WIDTH)
    with torch.no_grad():
        whole = transformer(hidden, times, text, return_dict=False)[0]
        for block in transformer.blocks:
            block.attn2.set_processor(FoldedPadding())
        short = transformer(hidden, times, text[:, :FOLDED], return_dict=False)[0]
        cut = transformer(hidden, times, text[:, : FOLDED - 1], return_dict=False)[0]
        unfolded = transformer(hidden, times, text, return_dict=False)[0]
    torch.testing.assert_close(short, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(unfolded, whole)
    assert (cut - whole).abs().max() > 1e-3, "padding counts"


def test_words_are_never_folded_away() -> None:
    tokenizer = build_tokenizer()
    encoder = build_text_encoder(len(tokenizer)).eval()
    with torch.no_grad():
        told = embed(tokenizer, encoder, [" ".join(["red"] * (FOLDED - 2)), "a star"])
        assert told.shape == (2, FOLDED, TEXT_WIDTH)
        assert told[0, : FOLDED - 1].any(-1).all(), "every word is there"
        assert not told[:, -1].any() and not told[1, 3:].any(), "the rest is padding"
        with pytest.raises(ValueError, match="longer"):
            embed(tokenizer, encoder, [" ".join(["red"] * (FOLDED - 1))])


def stepped(transformer: WanTransformer3DModel) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What it predicts of a folded text and a given first frame, and the weights' gradients."""
    torch.manual_seed(4)
    hidden, text = torch.randn(2, 16, 3, 6, 4), torch.randn(2, FOLDED, TEXT_WIDTH)
    times = torch.tensor([900.0, 100.0]).repeat_interleave(18).view(2, 18)
    times[:, :6] = 0
    seen = transformer(hidden, times, text, return_dict=False)[0].float()
    transformer.zero_grad()
    (seen * torch.randn_like(seen)).mean().backward()
    gradients = {name: weight.grad for name, weight in transformer.named_parameters()}
    return seen.detach(), {name: each for name, each in gradients.items() if each is not None}


@pytest.fixture(name="transformer")
def _transformer() -> WanTransformer3DModel:
    """With other weights of norms than ones, which would hide that one is left out."""
    torch.manual_seed(3)
    transformer = build_transformer(16, 16)
    for name, weight in transformer.named_parameters():
        if ".norm" in name:
            nn.init.uniform_(weight, 0.5, 2.0)
    return transformer


def test_quickened_blocks_learn_the_same(transformer: WanTransformer3DModel) -> None:
    wanted, gradients = stepped(folding(transformer))
    found, own = stepped(quickened(transformer))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert own.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert (own[name] - gradient).norm() <= 1e-4 * gradient.norm() + 1e-9, name


def test_products_in_bf16_leave_what_is_learned_in_fp32(
    transformer: WanTransformer3DModel,
) -> None:
    wanted, gradients = stepped(folding(transformer))
    with torch.autocast("cpu", torch.bfloat16):
        found, own = stepped(quickened(transformer))
    assert 0 < (found - wanted).norm() < 0.02 * wanted.norm()
    for name, gradient in gradients.items():
        assert own[name].dtype == torch.float32
        assert (own[name] - gradient).norm() < 0.05 * gradient.norm() + 1e-9, name


def test_gelu_is_the_usual_approximation() -> None:
    x = torch.linspace(-8, 8, 1001)
    torch.testing.assert_close(gelu(x), nn.functional.gelu(x, approximate="tanh"))
