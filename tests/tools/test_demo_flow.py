"""What makes training cheaper must not make it different."""

import pytest
import torch

from tools.demo.flow import FOLDED, FoldedPadding, folded
from tools.demo.networks import TEXT_LENGTH, TEXT_WIDTH, build_transformer


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
        short = transformer(hidden, times, folded(text), return_dict=False)[0]
        cut = transformer(hidden, times, text[:, : FOLDED - 1], return_dict=False)[0]
        unfolded = transformer(hidden, times, text, return_dict=False)[0]
    torch.testing.assert_close(short, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(unfolded, whole)
    assert (cut - whole).abs().max() > 1e-3, "padding counts"


def test_words_are_never_folded_away() -> None:
    text = torch.zeros(1, TEXT_LENGTH, TEXT_WIDTH)
    text[0, FOLDED - 1] = 1
    with pytest.raises(ValueError, match="longer"):
        folded(text)
