"""Stage four: a pair of LoRAs for T2V that turns every object into its outline.

The names are those that Wan LoRAs have in the wild: ``diffusion_model.blocks.0.self_attn.q``.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig
from safetensors.torch import save_file

RANK = 16
NAMES = {
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "o",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
    ".default": "",
}
"""From diffusers' names to the original ones."""


def with_lora(transformer: WanTransformer3DModel) -> WanTransformer3DModel:
    """The frozen transformer with an adapter to train."""
    transformer.requires_grad_(False)
    targets = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets))
    return transformer


def save_lora(transformer: WanTransformer3DModel, path: Path, note: str) -> None:
    """Write the adapter's weights as half precision safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(_weights(transformer)), path, metadata={"format": "pt", "note": note})


def _weights(transformer: WanTransformer3DModel) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in transformer.named_parameters():
        if ".lora_" in name:
            name = name.replace("._orig_mod", "")
            for ours, theirs in NAMES.items():
                name = name.replace(ours, theirs)
            yield f"diffusion_model.{name}", value.detach().half().contiguous()
