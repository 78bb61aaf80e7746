"""The parts of the demo checkpoints: Wan2.2's own classes, small.

Widths of transformers and text encoder are multiples of 32, so that every quantization applies.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# diffusers and tokenizers annotate optional parts as required, and configurations as plain dicts.

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from tools.demo.language import LETTERS, vocabulary

TEXT_WIDTH = 64
TEXT_LENGTH = 512
"""Tokens of padded text. The padding takes part in attention, so training and use must agree."""
WORD_START = "\u2581"


@dataclass(frozen=True)
class Layout:
    """How one of Wan2.2's layouts looks to a transformer."""

    channels: int
    spatial: int
    """Pixels per latent cell along one side."""

    @property
    def scale(self) -> int:
        """Pixels along one length of a scene, see ``scale_of``."""
        return scale_of(self.spatial)


def scale_of(spatial: int) -> int:
    """How large scenes are drawn for a VAE that makes them so many times smaller.

    A cell of its latents then holds 8 lengths of the scene in every layout.
    """
    return spatial // 8


A14B = Layout(channels=16, spatial=8)
FIVE_B = Layout(channels=48, spatial=16)


@dataclass(frozen=True)
class Trunk:
    """The size of a transformer: heads of width 32, blocks, and the width between two layers."""

    heads: int
    feed_forward: int
    blocks: int


DEEP = Trunk(heads=4, feed_forward=512, blocks=5)
"""For the A14B layouts, whose tokens are 64 numbers."""
DEEPER = Trunk(heads=4, feed_forward=512, blocks=7)
"""For the 5B layout, where one transformer does what two experts do for A14B."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words of the vocabulary; letters and bytes for everything else, so any text is read."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words += [(f"<0x{byte:02X}>", -12.0) for byte in range(256)]
    words += [(WORD_START, -3.0), *((letter, -4.0) for letter in LETTERS)]
    words += [(WORD_START + word, -1.0) for word in vocabulary() if len(word) > 1]
    words += [(WORD_START + "a", -1.0)]
    tokenizer = Tokenizer(models.Unigram(words, unk_id=2, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    space = {"replacement": WORD_START, "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(**space)
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Fuse(), decoders.Metaspace(**space)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
        extra_ids=0,
    )


def build_text_encoder(words: int) -> UMT5EncoderModel:
    """Two blocks of UMT5 for a vocabulary of this many tokens."""
    config = UMT5Config(
        vocab_size=words,
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=64,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        is_encoder_decoder=True,
        tie_word_embeddings=False,
    )
    return UMT5EncoderModel(config)


def build_transformer(
    channels_in: int, channels_out: int, trunk: Trunk = DEEP
) -> WanTransformer3DModel:
    """A transformer of this size with random weights."""
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=trunk.heads,
        attention_head_dim=32,
        in_channels=channels_in,
        out_channels=channels_out,
        text_dim=TEXT_WIDTH,
        freq_dim=256,
        ffn_dim=trunk.feed_forward,
        num_layers=trunk.blocks,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=1024,
    )


def build_vae(layout: Layout) -> AutoencoderKLWan:
    """A14B: 16 channels, 8 times smaller. 5B: 48 channels, residual, 2x2 patches, 16 times."""
    common = {"num_res_blocks": 1, "temperal_downsample": [False, True, True]}
    if layout is A14B:
        vae = AutoencoderKLWan(
            base_dim=8,
            z_dim=16,
            dim_mult=[1, 2, 4, 4],
            latents_mean=[0.0] * 16,
            latents_std=[1.0] * 16,
            **common,
        )
    else:
        vae = AutoencoderKLWan(
            base_dim=16,
            decoder_base_dim=16,
            z_dim=48,
            dim_mult=[1, 2, 2, 2],
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_temporal=4,
            scale_factor_spatial=16,
            latents_mean=[0.0] * 48,
            latents_std=[1.0] * 48,
            **common,
        )
    return vae


def build_scheduler(shift: float) -> UniPCMultistepScheduler:
    """The sampler of the converted Wan2.2 checkpoints."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
        flow_shift=shift,
    )


def channels_last(module: nn.Module) -> None:
    """Lay out convolution weights for the CPU: training a VAE is 1.8 times faster so."""
    for part in module.modules():
        if isinstance(part, nn.Conv3d):
            part.weight.data = part.weight.data.to(memory_format=torch.channels_last_3d)
        elif isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.to(memory_format=torch.channels_last)


def statistics(vae: AutoencoderKLWan) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of the latents, ``[1, C, 1, 1, 1]``."""
    shape = (1, -1, 1, 1, 1)
    return (torch.tensor(vae.config.latents_mean, device=vae.device).view(shape),
            torch.tensor(vae.config.latents_std, device=vae.device).view(shape))  # fmt: skip
