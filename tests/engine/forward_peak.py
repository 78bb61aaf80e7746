"""``python -m tests.engine.forward_peak stock|lean``: bytes a forward adds to the process's peak.

A wide and shallow transformer and a long sequence, so that activations are what counts.
"""

import gc
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import WanTransformer3DModel

from wan22_app.engine.lean import Lean

CHUNK = 512


def main() -> None:
    """Warm up with a short sequence, then measure a long one."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model: Any = WanTransformer3DModel(
        num_attention_heads=8, attention_head_dim=64, in_channels=16, out_channels=16, text_dim=64,
        freq_dim=64, ffn_dim=2048, num_layers=2, cross_attn_norm=True,
    ).eval()  # fmt: skip
    if sys.argv[1] == "lean":
        Lean(model, CHUNK)
    more = {} if sys.argv[1] == "lean" else {"return_dict": False}
    text, time = torch.randn(1, 16, 64), torch.tensor([900.0])
    with torch.no_grad():
        model(torch.randn(1, 16, 1, 8, 8), time, text, **more)
        latents = torch.randn(1, 16, 8, 64, 64)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = peak()
        model(latents, time, text, **more)
    sys.stdout.write(f"{peak() - before}\n")


def peak() -> int:
    """The most resident memory since the last reset, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
