"""The real layouts with random weights, made on the device: neither files nor a network needed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from torch import nn
from torchao.quantization import quantize_
from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

from wan22_app.demo import SHIPPED
from wan22_app.domain.catalog import ModelEntry, ModelSpec
from wan22_app.domain.plan import MemoryPlan
from wan22_app.engine.quantized import KINDS
from wan22_app.engine.source import DTYPES, EXPERTS

TEXT_WIDTH = 4096
LAYERS = {"t2v": (40, 40, 13824, 16, 16), "i2v": (40, 40, 13824, 36, 16),
          "ti2v": (24, 30, 14336, 48, 48)}  # fmt: skip
"""Heads, layers, feed-forward width, channels in and out of the real layouts."""
SCALE = 0.02
"""Deviation of random matrices; with norms at one, activations stay finite over forty blocks."""


@dataclass(frozen=True)
class RandomWeights:
    """A source of parts, see ``wan22_app.engine.source``; equal for equal names and seeds.

    The text encoder is of the real width but has one block: reading a text is not measured.
    """

    spec: ModelSpec
    maker: torch.device
    """Where numbers are drawn; parts end in main memory unless the plan lets them all stay."""

    def folder(self, base: Path) -> Path:
        """What the engine looks into before it asks for parts."""
        name = "WanImageToVideoPipeline" if str(self.spec.task) == "i2v" else "WanPipeline"
        (base / "model_index.json").write_text(json.dumps({"_class_name": name}))
        return base

    def __call__(self, entry: ModelEntry, name: str, plan: MemoryPlan) -> Any:
        """One part, as ``from_disk`` gives it."""
        if name == "tokenizer":
            return self._tokenizer()
        if name == "scheduler":
            return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
        with init_empty_weights():
            module = self._build(name)
        dtype = torch.float32 if name == "vae" else DTYPES[plan.precision]
        kind = plan.quantization if name in EXPERTS else "none"
        stays = plan.offload == "none" and plan.keep == "all"
        home = torch.device(plan.device if stays else "cpu")
        fill(module, dtype, self.maker, home)
        if kind != "none":
            quantize_(module.blocks, KINDS[kind]())
        if name == "text_encoder":
            module.tie_weights()
        if name == "vae":
            for part in (module.decoder, module.post_quant_conv):
                part.to(DTYPES[plan.vae_precision])
        return module.eval().requires_grad_(False)

    def _tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(SHIPPED / str(self.spec.task), subfolder="tokenizer")

    def text_bytes(self) -> int:
        """Of the text encoder in bf16."""
        with init_empty_weights():
            encoder = self._build("text_encoder")
        return 2 * sum(weight.numel() for weight in encoder.parameters())

    def _build(self, name: str) -> Any:
        if name == "text_encoder":
            return _text_encoder(len(self._tokenizer()))
        if name == "vae":
            return AutoencoderKLWan(**(_VAE_5B if str(self.spec.task) == "ti2v" else {}))
        heads, layers, ffn, channels_in, channels_out = LAYERS[str(self.spec.task)]
        return WanTransformer3DModel(
            num_attention_heads=heads, attention_head_dim=128, num_layers=layers, ffn_dim=ffn,
            in_channels=channels_in, out_channels=channels_out, text_dim=TEXT_WIDTH,
        )  # fmt: skip


def fill(module: Any, dtype: torch.dtype, maker: torch.device, home: torch.device) -> None:
    """Give an empty module random weights, one tensor at a time, always the same ones.

    What the model keeps in fp32 whatever is asked stays in fp32.
    """
    generator = torch.Generator(maker).manual_seed(1)
    kept = getattr(module, "_keep_in_fp32_modules", None) or ()
    for path, owner in module.named_modules():
        for name, hollow in list(owner.named_parameters(recurse=False)):
            exact = any(part in f"{path}.{name}".split(".") for part in kept)
            made = torch.empty(hollow.shape, dtype=torch.float32 if exact else dtype, device=maker)
            if hollow.ndim > 1 and name != "gamma":
                made.normal_(std=SCALE, generator=generator)
            else:
                made.fill_(0.0 if name == "bias" else 1.0)
            setattr(owner, name, nn.Parameter(made.to(home), requires_grad=False))
        for buffer in owner.buffers(recurse=False):
            buffer.data = buffer.to(home)


def _text_encoder(words: int) -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=words, d_model=TEXT_WIDTH, d_kv=64, d_ff=128, num_layers=1, num_heads=4,
        feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        is_encoder_decoder=True, tie_word_embeddings=False,  # pyright: ignore[reportCallIssue]
    )  # fmt: skip
    return UMT5EncoderModel(config)


_ANY = MemoryPlan(
    device="cpu", precision="bf16", offload="none", tile=None, peak_vram_bytes=0, peak_ram_bytes=0
)
_VAE_5B: dict[str, Any] = {
    "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "is_residual": True,
    "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48,
}  # fmt: skip
