"""``python -m wan22_app.engine.demo MODELS``: tiny checkpoints of the three layouts.

Real Wan2.2 classes at toy width with random weights: everything runs on any machine, without a
download, and draws coloured noise. Widths are multiples of 64, so that every quantization applies.
"""

# pyright: reportArgumentType=false, reportCallIssue=false
# diffusers and tokenizers annotate optional parts as required.

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from wan22_app.domain.catalog import DEMO_I2V, DEMO_T2V, DEMO_TI2V, DemoSettings, ModelSpec

SEED = 20_260_101
TEXT_WIDTH = 64
WORD_START = "\u2581"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-"
SETTINGS = "demo_settings.json"
CARD = """# Demo weights

Random numbers in the shape of {layout}: they prove that the app works and draw coloured noise.
They are not Wan2.2. Made by `python -m wan22_app.engine.demo` with a fixed seed; free to use
under the project's licence.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is missing; prints one line for each checkpoint."""
    parser = argparse.ArgumentParser(prog="wan22_app.engine.demo", description=__doc__)
    parser.add_argument("models", type=Path, help="folder that gets demo/{t2v,i2v,ti2v}")
    folder = parser.parse_args(argv).models / "demo"
    for spec, build in LAYOUTS.values():
        target = folder / str(spec.task)
        fresh = ensure(target, spec, build)
        sys.stdout.write(f"{spec.name}: {'built' if fresh else 'there'}, {target}\n")
    return 0


def ensure(target: Path, spec: ModelSpec, build: Callable[[], Any]) -> bool:
    """Build into a sibling folder and rename: a killed build leaves no half checkpoint.

    The settings file is written last, so its presence means that the folder is complete.
    """
    if (target / SETTINGS).is_file():
        return False
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        build().save_pretrained(part, safe_serialization=True)
    (part / "README.md").write_text(CARD.format(layout=spec.name), encoding="utf-8")
    settings = DemoSettings(
        shift=spec.shift, text_length=spec.text_length, frames=spec.frames, sizes=spec.sizes
    )
    (part / SETTINGS).write_text(settings.model_dump_json(indent=1), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return True


def _tokenizer() -> PreTrainedTokenizerFast:
    """Letters and byte fallback: any text is encoded without having seen it before."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(f"<0x{byte:02X}>", -12.0) for byte in range(256)]
    vocabulary += [(WORD_START, -3.0), *((letter, -4.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=True))
    tokenizer.normalizer = normalizers.NFKC()
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


def _text_encoder(words: int) -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=words,
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        is_encoder_decoder=True,
        tie_word_embeddings=False,
    )
    return UMT5EncoderModel(config).eval()


def _transformer(channels_in: int, channels_out: int) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=4,
        attention_head_dim=32,
        in_channels=channels_in,
        out_channels=channels_out,
        text_dim=TEXT_WIDTH,
        freq_dim=256,
        ffn_dim=256,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=1024,
    ).eval()


def _vae_16() -> AutoencoderKLWan:
    """The A14B layout: 16 channels, 8 times smaller, 4 times shorter."""
    return AutoencoderKLWan(
        base_dim=8,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    ).eval()


def _vae_48() -> AutoencoderKLWan:
    """The TI2V-5B layout: 48 channels, residual, 2x2 patches, 16 times smaller."""
    return AutoencoderKLWan(
        base_dim=8,
        decoder_base_dim=8,
        z_dim=48,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_temporal=4,
        scale_factor_spatial=16,
        latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48,
    ).eval()


def _common(flow_shift: float) -> dict[str, Any]:
    tokenizer = _tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": _text_encoder(len(tokenizer)),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            num_train_timesteps=1000,
            flow_shift=flow_shift,
        ),
    }


def build_t2v() -> WanPipeline:
    """Two experts, 16 channels in."""
    return WanPipeline(
        **_common(3.0),
        vae=_vae_16(),
        transformer=_transformer(16, 16),
        transformer_2=_transformer(16, 16),
        boundary_ratio=DEMO_T2V.boundary,
    )


def build_i2v() -> WanImageToVideoPipeline:
    """Two experts, 36 channels in: noise, mask and the encoded first frame."""
    return WanImageToVideoPipeline(
        **_common(3.0),
        vae=_vae_16(),
        transformer=_transformer(36, 16),
        transformer_2=_transformer(36, 16),
        image_encoder=None,
        image_processor=None,
        boundary_ratio=DEMO_I2V.boundary,
    )


def build_ti2v() -> WanPipeline:
    """One expert, 48 channels, a timestep for each token."""
    return WanPipeline(
        **_common(5.0),
        vae=_vae_48(),
        transformer=_transformer(48, 48),
        transformer_2=None,
        expand_timesteps=True,
    )


LAYOUTS: dict[str, tuple[ModelSpec, Callable[[], Any]]] = {
    DEMO_T2V.key: (DEMO_T2V, build_t2v),
    DEMO_I2V.key: (DEMO_I2V, build_i2v),
    DEMO_TI2V.key: (DEMO_TI2V, build_ti2v),
}


if __name__ == "__main__":
    sys.exit(main())
