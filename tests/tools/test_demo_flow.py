"""What makes training cheaper must not make it different."""

import pytest
import torch

from tools.demo.flow import FoldedPadding
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
