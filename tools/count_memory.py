"""``python -m tools.count_memory``: what a forward of the real layouts keeps alive, no weights.

The transformers are built at real width on PyTorch's meta device, three blocks deep (the peak lies
within one), with the engine's own forward; the VAEs decode a tile as the engine does. Every tensor
that lives is counted; attention counts as fused, as it is on a card. Prints bytes for each token,
for each token of a chunk, and for each pixel of a tile: the figures in
``wan22_app/domain/catalog.py``.
"""

# pyright: reportArgumentType=false
# diffusers annotates optional parts as required.

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.transformers import transformer_wan
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from wan22_app.domain.catalog import I2V_A14B, T2V_A14B, TI2V_5B, ModelSpec
from wan22_app.engine.decode import moments
from wan22_app.engine.lean import Lean

BLOCKS = 3
CHANNELS = {T2V_A14B.key: (16, 16), I2V_A14B.key: (36, 16), TI2V_5B.key: (48, 48)}
FEED_FORWARD = {T2V_A14B.key: 13824, I2V_A14B.key: 13824, TI2V_5B.key: 14336}
VAES: dict[str, dict[str, Any]] = {
    "VAE of A14B": {},
    "VAE of TI2V-5B": {
        "base_dim": 160,
        "decoder_base_dim": 256,
        "z_dim": 48,
        "dim_mult": [1, 2, 4, 4],
        "num_res_blocks": 2,
        "temperal_downsample": [False, True, True],
        "is_residual": True,
        "in_channels": 12,
        "out_channels": 12,
        "patch_size": 2,
        "scale_factor_spatial": 16,
        "latents_mean": [0.0] * 48,
        "latents_std": [1.0] * 48,
    },
}
TILE = 256
SHORT, LONG = 81, 121
SMALL, BIG = 2048, 8192


class LiveBytes(TorchDispatchMode):
    """The most bytes of tensors that were alive at once, the weights of ``module`` left out."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.peak = 0
        self._now = 0
        weights = [*module.parameters(), *module.buffers()]
        self._known = {id(each.untyped_storage()): each.untyped_storage() for each in weights}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "meta":
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)
        if key in self._known:
            return
        self._known[key] = storage if storage.nbytes() == 0 else None
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._known.pop(key, None)
        self._now -= size


def main() -> int:
    """Count and print."""
    for spec in (T2V_A14B, I2V_A14B, TI2V_5B):
        each, of_chunk = figures(spec)
        sys.stdout.write(f"{spec.key}: {each:,.0f} bytes a token, {of_chunk:,.0f} more for each "
                         "token of a chunk\n")  # fmt: skip
    for name, config in VAES.items():
        sys.stdout.write(f"{name}: {of_tile(config):,.0f} bytes a pixel of a tile, in fp32\n")
    return 0


def figures(spec: ModelSpec) -> tuple[float, float]:
    """Bytes for each token of the sequence, and for each token of a chunk."""
    (short, tokens), (long, more) = (alive(spec, frames, BIG) for frames in (SHORT, LONG))
    each = (long - short) / (more - tokens)
    smaller, _ = alive(spec, SHORT, SMALL)
    return each, (short - smaller) / (BIG - SMALL)


def alive(spec: ModelSpec, frames: int, chunk: int) -> tuple[int, int]:
    """Peak bytes of a forward at the default size, and the length of its sequence."""
    transformer, (ins, _) = build(spec), CHANNELS[spec.key]
    Lean(transformer, chunk)
    size, cells = spec.size, (frames - 1) // spec.temporal + 1
    given = 0
    with torch.device("meta"):
        latents = torch.empty(1, ins, cells, size.height // spec.spatial,
                              size.width // spec.spatial, dtype=torch.bfloat16)  # fmt: skip
        text = torch.empty(1, spec.text_length, 4096, dtype=torch.bfloat16)
        time = torch.empty(1)
    with fused_attention(), torch.no_grad(), LiveBytes(transformer) as live:
        transformer(latents, time, text, given=given)
    return live.peak, spec.tokens(size.width, size.height, frames)


def build(spec: ModelSpec) -> Any:
    """A shallow transformer of real width, in bf16 but for what diffusers keeps in fp32."""
    ins, outs = CHANNELS[spec.key]
    with torch.device("meta"):
        module = WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=spec.attention_width // 128,
            attention_head_dim=128,
            in_channels=ins,
            out_channels=outs,
            text_dim=4096,
            freq_dim=256,
            ffn_dim=FEED_FORWARD[spec.key],
            num_layers=BLOCKS,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
        ).eval()
    kept = set(WanTransformer3DModel._keep_in_fp32_modules)
    for name, weight in module.named_parameters():
        if not kept & set(name.split(".")):
            weight.data = weight.data.to(torch.bfloat16)
    return module


def of_tile(config: dict[str, Any]) -> float:
    """Peak bytes of decoding a tile, for each of its pixels; four latent frames tell."""
    with torch.device("meta"):
        vae: Any = AutoencoderKLWan(**config).eval()
        cells = TILE // vae.config.scale_factor_spatial
        latents = torch.empty(1, vae.config.z_dim, 4, cells, cells)
    with torch.no_grad(), LiveBytes(vae) as live:
        for part in moments(vae, latents, lambda: None):
            del part
    return live.peak / TILE**2


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention allocates its result alone, as fused kernels do."""
    stock = transformer_wan.dispatch_attention_fn
    transformer_wan.dispatch_attention_fn = lambda query, *_, **__: torch.empty_like(query)
    try:
        yield
    finally:
        transformer_wan.dispatch_attention_fn = stock


if __name__ == "__main__":
    sys.exit(main())
