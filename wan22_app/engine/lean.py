"""The transformer's forward with a fraction of its live memory, and the same numbers.

Stock diffusers keeps about 14 tensors of tokens by width alive in a block. Here norms, modulation,
queries and the feed-forward run over chunks of the sequence and residuals are added in place, so
that the hidden states, the keys, the values and one chunk are all. TI2V-5B's timesteps for each
token are two distinct ones at most, of which only the rows are kept.

Inference only. Where the sequence is one chunk and has one timestep the results are stock's to the
bit; else within rounding, in bf16 as near to fp32's as stock's are (``tests/engine/test_lean.py``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any, NamedTuple

import torch
from diffusers.models.transformers import transformer_wan

from wan22_app.domain.plan import Placement
from wan22_app.engine.regions import EAGER, REGIONS, Norm, Regions

Tensor = torch.Tensor


class Span(NamedTuple):
    """Tokens ``start`` to ``end``, and which row of the timesteps is theirs."""

    start: int
    end: int
    row: int


@dataclass(frozen=True)
class Modulation:
    """What a block gets in place of stock's ``temb``: ``rows`` is ``[B, R, 6, D]``."""

    rows: Tensor
    spans: tuple[Span, ...]
    regions: Regions = EAGER

    def of(self, block: Any, span: Span) -> tuple[Tensor, ...]:
        """Shift, scale and gate of the attention, then of the feed-forward, each ``[B, 1, D]``."""
        return (block.scale_shift_table + self.rows[:, span.row].float()).chunk(6, dim=1)


class Lean:
    """Installed in a transformer, it replaces its forward and its blocks'.

    Must come before group offload and whatever else wraps a module's forward: diffusers' hooks
    remember the one that they find. Blocks are offloaded as a whole or not at all; leaf by leaf,
    every chunk would move the weights again.
    """

    def __init__(self, transformer: Any, chunk: int):
        self.chunk = chunk
        """Tokens at a time. May be changed between forwards, as ``regions`` may."""
        self.regions = EAGER
        for block in transformer.blocks:
            if hasattr(block, "_diffusers_hook"):
                raise RuntimeError("wrapped already: the lean forward would never be called")
            if block.attn1.fused_projections or block.attn2.add_k_proj is not None:
                raise NotImplementedError("fused projections and Wan2.1's image branch")
            block.forward = MethodType(forward_block, block)
        transformer.forward = MethodType(self._forward, transformer)

    def follow(self, plan: Placement) -> None:
        """Work from now on as this plan says."""
        self.chunk, self.regions = plan.chunk, REGIONS[plan.compilation]()

    def _forward(
        self,
        transformer: Any,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        given: int = 0,
    ) -> Tensor:
        """The prediction ``[B, C, T, H, W]``.

        ``timestep`` is ``[1]``, or ``[2]``: of the first ``given`` tokens, and of the others.
        """
        rotary = transformer.rope(hidden_states)
        shape = hidden_states.shape
        tokens = transformer.patch_embedding(hidden_states).flatten(2).transpose(1, 2).contiguous()
        times, projected, text, _ = transformer.condition_embedder(
            timestep.repeat(shape[0]),
            encoder_hidden_states,
            timestep_seq_len=len(timestep),
        )
        spans = tuple(_spans(tokens.shape[1], given, len(timestep), self.chunk))
        modulation = Modulation(projected.unflatten(2, (6, -1)), spans, self.regions)
        for block in transformer.blocks:
            tokens = block(tokens, text, modulation, rotary)
        parts = [_project(transformer, tokens, times, span) for span in spans]
        return _unpatched(torch.cat(parts, 1), shape, transformer.config.patch_size)


def _spans(length: int, given: int, rows: int, chunk: int) -> Iterator[Span]:
    """The sequence in order; no span has tokens of two timesteps."""
    edges = [(0, given, 0), (given, length, rows - 1)]
    for start, end, row in edges:
        for at in range(start, end, chunk):
            yield Span(at, min(at + chunk, end), row)


@torch.no_grad()
def forward_block(
    block: Any, hidden: Tensor, text: Tensor, modulation: Modulation, rotary: tuple[Tensor, Tensor]
) -> Tensor:
    """A block's result, written over ``hidden`` ``[B, L, D]``."""
    key, value = _keys(block, hidden, modulation, rotary)
    for span in modulation.spans:
        # Queries read what they will replace, and nothing else of it: K and V are made already.
        _attend_self(block, hidden, key, value, modulation, rotary, span)
    del key, value
    words = _words(block.attn2, text)
    for span in modulation.spans:
        _attend_text(block, hidden, words, modulation, span)
        _feed_forward(block, hidden, modulation, span)
    return hidden


def _keys(
    block: Any, hidden: Tensor, modulation: Modulation, rotary: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Keys and values of the whole sequence, ``[B, L, heads, D / heads]``."""
    attention, regions, norm = block.attn1, modulation.regions, Norm.of(block.norm1)
    shape = (*hidden.shape[:2], attention.heads, hidden.shape[2] // attention.heads)
    key, value = hidden.new_empty(shape), hidden.new_empty(shape)
    for span in modulation.spans:
        here = slice(span.start, span.end)
        shift, scale = modulation.of(block, span)[:2]
        part = regions.modulated(hidden[:, here], norm, shift, scale)
        heads = _heads(attention.norm_k(attention.to_k(part)), attention)
        key[:, here] = regions.rotated(heads, *_turns(rotary, here))
        value[:, here] = _heads(attention.to_v(part), attention)
    return key, value


def _attend_self(
    block: Any,
    hidden: Tensor,
    key: Tensor,
    value: Tensor,
    modulation: Modulation,
    rotary: tuple[Tensor, Tensor],
    span: Span,
) -> None:
    attention, regions, here = block.attn1, modulation.regions, slice(span.start, span.end)
    shift, scale, gate = modulation.of(block, span)[:3]
    part = hidden[:, here]
    query = attention.to_q(regions.modulated(part, Norm.of(block.norm1), shift, scale))
    heads = _heads(attention.norm_q(query), attention)
    found = _attend(attention, regions.rotated(heads, *_turns(rotary, here)), key, value)
    hidden[:, here] = regions.gated(part, attention.to_out[0](found), gate)


def _words(attention: Any, text: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of the text."""
    key = attention.norm_k(attention.to_k(text))
    return _heads(key, attention), _heads(attention.to_v(text), attention)


def _attend_text(
    block: Any, hidden: Tensor, words: tuple[Tensor, Tensor], modulation: Modulation, span: Span
) -> None:
    attention, part = block.attn2, hidden[:, span.start : span.end]
    query = attention.norm_q(attention.to_q(modulation.regions.normed(part, Norm.of(block.norm2))))
    part += attention.to_out[0](_attend(attention, _heads(query, attention), *words))


def _feed_forward(block: Any, hidden: Tensor, modulation: Modulation, span: Span) -> None:
    here, regions = slice(span.start, span.end), modulation.regions
    shift, scale, gate = modulation.of(block, span)[3:]
    part = hidden[:, here]
    out = block.ffn(regions.modulated(part, Norm.of(block.norm3), shift, scale))
    hidden[:, here] = regions.gated(part, out, gate)


def _heads(flat: Tensor, attention: Any) -> Tensor:
    return flat.unflatten(2, (attention.heads, -1))


def _turns(rotary: tuple[Tensor, Tensor], here: slice) -> tuple[Tensor, Tensor]:
    """Cosines and sines of a stretch of the sequence."""
    return rotary[0][:, here, :, 0::2], rotary[1][:, here, :, 1::2]


def _attend(attention: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    # By the module's name, so that a backend that was chosen for the transformer is used.
    found = transformer_wan.dispatch_attention_fn(
        query,
        key,
        value,
        attn_mask=None,
        dropout_p=0.0,
        is_causal=False,
        backend=attention.processor._attention_backend,
        parallel_config=None,
    )
    return found.flatten(2, 3).type_as(query)


def _project(transformer: Any, tokens: Tensor, times: Tensor, span: Span) -> Tensor:
    part = tokens[:, span.start : span.end]
    table = transformer.scale_shift_table.to(times.device)
    shift, scale = (table + times[:, span.row].unsqueeze(1)).chunk(2, dim=1)
    norm = Norm.of(transformer.norm_out)
    return transformer.proj_out(EAGER.modulated(part, norm, shift, scale))


def _unpatched(tokens: Tensor, shape: torch.Size, patch: tuple[int, int, int]) -> Tensor:
    """Tokens ``[B, L, C * patch]`` as latents ``[B, C, T, H, W]``."""
    batch, _, *sides = shape
    counts = [side // size for side, size in zip(sides, patch, strict=True)]
    cells = tokens.reshape(batch, *counts, *patch, -1)
    return cells.permute(0, 7, 1, 4, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(2, 3)
