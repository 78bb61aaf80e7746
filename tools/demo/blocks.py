"""Blocks of transformers for training: what they read and how they reckon, the same up to rounding.

Where a processor multiplies matrices in bf16 fast, they train in half the time. One thread of a
Xeon with AMX took 1.13 s for a step's forward and backward as diffusers writes them, and takes
0.58 s so: matrices are the smaller part then; torch's fused attention, which is slow in bf16 and
for few keys, is written out; GELU by a sigmoid is cheaper than by a hyperbolic tangent.
"""

# pyright: reportAttributeAccessIssue=false
# diffusers annotates the parts of blocks as their least common type.

import math
import shutil
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

from tools.demo.networks import TEXT_LENGTH
from tools.demo.text import FOLDED


class FoldedPadding(WanAttnProcessor):
    """Cross-attention in which the last token of a folded text counts as often as it was there.

    ``n`` equal tokens get the weight of one whose score is greater by ``log n``, so the result is
    that of the whole text, at a tenth of the cost for words.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scores = torch.zeros(1, 1, 1, FOLDED)
        self.scores[..., -1] = math.log(TEXT_LENGTH - FOLDED + 1)

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """As diffusers' own; a text of another length is not folded."""
        if encoder_hidden_states is not None and encoder_hidden_states.shape[1] == FOLDED:
            attention_mask = self.scores.to(hidden_states.device)
        return super().__call__(
            attn, hidden_states, encoder_hidden_states, attention_mask, rotary_emb
        )


class WrittenOut(FoldedPadding):
    """The same by the formula of attention: softmax and norms in fp32, products as autocast has it.

    For the layouts of Wan2.2, which have no further keys of images.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Of tokens among each other, or of tokens and text."""
        seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        heads = (attn.heads, -1)
        query = attn.norm_q(attn.to_q(hidden_states).float()).unflatten(2, heads)
        key = attn.norm_k(attn.to_k(seen).float()).unflatten(2, heads)
        value = attn.to_v(seen).unflatten(2, heads).transpose(1, 2)
        if rotary_emb is not None:
            query, key = turned(query, *rotary_emb), turned(key, *rotary_emb)
        scores = query.transpose(1, 2) * query.shape[-1] ** -0.5 @ key.permute(0, 2, 3, 1)
        if encoder_hidden_states is not None and seen.shape[1] == FOLDED:
            scores = scores + self.scores.to(scores.device)
        found = scores.softmax(-1) @ value
        return attn.to_out[0](found.transpose(1, 2).flatten(2)).float()


def turned(x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of ``[B, N, heads, 32]``; neighbours are a pair."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosines[..., 0::2], sines[..., 1::2]
    pair = (even * cosine - odd * sine, even * sine + odd * cosine)
    return torch.stack(pair, -1).flatten(-2)


def gelu(x: torch.Tensor) -> torch.Tensor:
    """GELU's usual approximation, whose ``(1 + tanh u) / 2`` is ``sigmoid(2 u)``."""
    x = x.float()
    return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))


@cache
def fast_in_bf16() -> bool:
    """Whether this processor has units for matrices in bf16."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def arithmetic() -> AbstractContextManager[Any]:
    """What a transformer's forward for training runs in. Weights and gradients stay in fp32."""
    return torch.autocast("cpu", torch.bfloat16) if fast_in_bf16() else nullcontext()


def folding(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """With cross-attention that reads folded texts, too."""
    blocks: Any = transformer.blocks
    for block in blocks:
        block.attn2.set_processor(FoldedPadding())
    return transformer


def quickened(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """With blocks that are fast in ``arithmetic`` of bf16."""
    blocks: Any = transformer.blocks
    for block in blocks:
        block.attn1.set_processor(WrittenOut())
        block.attn2.set_processor(WrittenOut())
        block.ffn.net[0].gelu = gelu
    return transformer


def prepared(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """For faster training, and compiled where a compiler is installed."""
    bf16 = fast_in_bf16() and transformer.device.type == "cpu"
    (quickened if bf16 else folding)(transformer)
    # Kernels of the stages before count against the limit, beyond which nothing is compiled.
    torch.compiler.reset()
    if shutil.which("g++") or shutil.which("clang++"):
        transformer.compile_repeated_blocks(dynamic=False)
    return transformer
