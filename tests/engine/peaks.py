"""``python -m tests.engine.peaks CASE``: bytes that work adds to its process's peak. Linux only.

Cases: ``forward-stock``, ``forward-lean``, ``decode-stock``, ``decode-ours``. Sizes are such that
activations and frames are what counts, not weights.
"""

import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
VIDEO = (128, 512, 33)
"""Width, height, frames: high, for many rows of tiles."""
Work = Callable[[], object]


def of(case: str) -> int:
    """The bytes of a case, measured in a process of its own.

    glibc learns to keep larger and larger blocks for later; then what was freed counts as used, by
    an amount that depends on the machine. A fixed threshold gives every large block back at once.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.peaks", case],
        capture_output=True, text=True, check=True, cwd=PROJECT,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def main() -> None:
    """Warm up with something small, give everything back, then measure something long."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    kind, who = sys.argv[1].split("-")
    small, large = {"forward": forwards, "decode": decodes}[kind](ours=who != "stock")
    with torch.no_grad():
        small()
        gc.collect()
        # What the heap keeps for later would hide what the work needs.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = peak()
        large()
    sys.stdout.write(f"{peak() - before}\n")


def forwards(*, ours: bool) -> tuple[Work, Work]:
    """A wide and shallow transformer."""
    import torch
    from diffusers import WanTransformer3DModel

    from wan22_app.engine.lean import Lean

    model: Any = WanTransformer3DModel(
        num_attention_heads=8, attention_head_dim=64, in_channels=16, out_channels=16, text_dim=64,
        freq_dim=64, ffn_dim=2048, num_layers=2, cross_attn_norm=True,
    ).eval()  # fmt: skip
    if ours:
        Lean(model, chunk=512)
    more = {} if ours else {"return_dict": False}
    text, time = torch.randn(1, 16, 64), torch.tensor([900.0])
    short, long = torch.randn(1, 16, 1, 8, 8), torch.randn(1, 16, 8, 64, 64)
    return (lambda: model(short, time, text, **more)), (lambda: model(long, time, text, **more))


def decodes(*, ours: bool) -> tuple[Work, Work]:
    """A video in small tiles."""
    import torch

    from tools.demo.networks import A14B, build_vae
    from wan22_app.domain.catalog import DEMO_T2V
    from wan22_app.domain.generation import GenerationRequest, geometry
    from wan22_app.engine.decode import decode
    from wan22_app.engine.placement import tile_vae
    from wan22_app.engine.quicken import quicken

    vae: Any = build_vae(A14B).eval()
    quicken(vae)
    tile_vae(vae, 64)

    def work(frames: int) -> Work:
        width, height, _ = VIDEO
        fields = {"prompt": "x", "width": width, "height": height, "frames": frames}
        made = geometry(DEMO_T2V, GenerationRequest.build(DEMO_T2V, fields, 1))
        latents = torch.randn(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)
        if ours:
            return lambda: [None for _ in decode(vae, latents, made, lambda: None)]
        return lambda: vae.decode(latents, return_dict=False)[0]

    return work(9), work(VIDEO[2])


def peak() -> int:
    """The most resident memory since the last reset, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
