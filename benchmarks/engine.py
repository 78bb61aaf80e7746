"""``python -m benchmarks.engine``: seconds per stage and peak memory at any size.

On a CUDA card: the real layouts with random weights made on the device, so neither weights nor a
network are needed; stock diffusers forward. Without a card: the demo layouts on the CPU. Random
weights draw noise; their speed and memory are those of real ones. Prints and writes one JSON
object to ``benchmarks/results/engine-<model>.json``.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel

from benchmarks.report import publish
from wan22_app.demo import SHIPPED
from wan22_app.domain.catalog import DEMO_SPECS, REAL_SPECS, ModelSpec

TEXT_DIM = 4096
LAYERS = {"t2v": (40, 40, 13824, 16, 16), "i2v": (40, 40, 13824, 36, 16),
          "ti2v": (24, 30, 14336, 48, 48)}  # fmt: skip
"""Heads, layers, feed-forward width, channels in and out of the real layouts."""
WEIGHT_SCALE = 0.02


def main() -> int:
    """Measure one model at one size."""
    cuda = torch.cuda.is_available()
    specs = {spec.key: spec for spec in (REAL_SPECS if cuda else DEMO_SPECS)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=specs, default="ti2v-5b" if cuda else "demo-ti2v")
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--steps", type=int, default=2)
    args = parser.parse_args()
    report = measure(specs[args.model], args, torch.device("cuda" if cuda else "cpu"))
    publish(f"engine-{args.model}", report)
    return 0


@torch.no_grad()
def measure(spec: ModelSpec, args: argparse.Namespace, device: torch.device) -> dict[str, object]:
    """Denoise and decode once, after one warm-up forward."""
    width = -(-(args.width or spec.size.width) // spec.multiple) * spec.multiple
    height = -(-(args.height or spec.size.height) // spec.multiple) * spec.multiple
    frames = ((args.frames or spec.frames) - 1) // spec.temporal * spec.temporal + 1
    transformer, vae = models(spec, device)
    inputs = tensors(spec, transformer, (width, height, frames), device)
    transformer(**inputs, return_dict=False)
    seconds: dict[str, float] = {}
    peaks: dict[str, int] = {}
    with_peak(device, seconds, peaks, "denoising", lambda: steps(transformer, inputs, args.steps))
    shape = (1, vae.config.z_dim, *inputs["hidden_states"].shape[2:])
    latents = torch.randn(shape, device=device, dtype=vae.dtype)
    vae.enable_tiling()
    with_peak(device, seconds, peaks, "decoding", lambda: vae.decode(latents, return_dict=False))
    return {
        "model": spec.key,
        "video": f"{width}x{height}x{frames}",
        "tokens": spec.tokens(width, height, frames),
        "steps_measured": args.steps,
        "seconds": seconds,
        "seconds_per_forward": round(seconds["denoising"] / (2 * args.steps), 4),
        "peak_reserved_bytes": peaks,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "versions": {name: version(name) for name in ("torch", "diffusers")},
    }


def models(spec: ModelSpec, device: torch.device) -> tuple[Any, Any]:
    """One expert and the VAE: the real layout on the device, or the demo's."""
    if spec.demo:
        folder = SHIPPED / str(spec.task)
        transformer = WanTransformer3DModel.from_pretrained(folder, subfolder="transformer")
        vae = AutoencoderKLWan.from_pretrained(folder, subfolder="vae")
        return transformer.float().to(device), vae.float().to(device)
    heads, layers, ffn, channels_in, channels_out = LAYERS[str(spec.task)]
    with torch.device(device):
        transformer = WanTransformer3DModel(
            num_attention_heads=heads, attention_head_dim=128, num_layers=layers, ffn_dim=ffn,
            in_channels=channels_in, out_channels=channels_out, text_dim=TEXT_DIM,
        ).to(torch.bfloat16)  # fmt: skip
        vae = AutoencoderKLWan(**(_vae_48() if str(spec.task) == "ti2v" else {}))
    for parameter in transformer.parameters():
        # Small, so that forty blocks of random weights stay finite.
        torch.nn.init.normal_(parameter, std=WEIGHT_SCALE)
    return transformer.eval(), vae.eval()


def _vae_48() -> dict[str, Any]:
    return {
        "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "is_residual": True,
        "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16,
        "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48,
    }  # fmt: skip


def tensors(
    spec: ModelSpec, transformer: Any, video: tuple[int, int, int], device: torch.device
) -> dict[str, torch.Tensor]:
    """Inputs of one forward for a video of this size."""
    width, height, frames = video
    cells = ((frames - 1) // spec.temporal + 1, height // spec.spatial, width // spec.spatial)
    config, dtype = transformer.config, transformer.dtype
    return {
        "hidden_states": torch.randn(1, config.in_channels, *cells, device=device, dtype=dtype),
        "timestep": torch.full((1,), 500.0, device=device),
        "encoder_hidden_states": torch.randn(
            1, spec.text_length, config.text_dim, device=device, dtype=dtype
        ),
    }


def steps(transformer: Any, inputs: dict[str, torch.Tensor], count: int) -> None:
    """Guided steps: two forwards and the solver's arithmetic."""
    solver = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
    )
    solver.set_timesteps(count, device=inputs["hidden_states"].device)
    channels = transformer.config.out_channels
    latents = inputs["hidden_states"][:, :channels].float()
    for t in solver.timesteps:
        positive = transformer(**inputs, return_dict=False)[0]
        negative = transformer(**inputs, return_dict=False)[0]
        latents = solver.step(negative + 5 * (positive - negative), t, latents, False)[0]


def with_peak(
    device: torch.device,
    seconds: dict[str, float],
    peaks: dict[str, int],
    stage: str,
    work: Callable[[], object],
) -> None:
    """Run one stage between two synchronisations."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
        peaks[stage] = torch.cuda.max_memory_reserved()
    seconds[stage] = round(time.perf_counter() - start, 4)


if __name__ == "__main__":
    sys.exit(main())
