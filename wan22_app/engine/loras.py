"""One job's LoRAs, put in and taken out again without a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from safetensors.torch import load_file

from wan22_app.domain.generation import LoraRef

NAME = "lora{}"


class UselessLora(Exception):
    """Nothing in the file matched the model: it would silently do nothing."""


@contextmanager
def applied(pipeline: Any, refs: Sequence[LoraRef], paths: Sequence[str]) -> Iterator[None]:
    """The pipeline with these LoRAs; the base comes back to the bit afterwards."""
    try:
        for index, (ref, path) in enumerate(zip(refs, paths, strict=True)):
            _load(pipeline, NAME.format(index), ref, path)
        yield
    finally:
        if refs:
            pipeline.unload_lora_weights()


def _load(pipeline: Any, name: str, ref: LoraRef, path: str) -> None:
    weights = load_file(path)
    for target, low in (("transformer", False), ("transformer_2", True)):
        transformer = getattr(pipeline, target)
        if transformer is None or ref.expert == ("high" if low else "low"):
            continue
        pipeline.load_lora_weights(
            dict(weights), adapter_name=name, load_into_transformer_2=low, use_safetensors=True
        )
        if name not in getattr(transformer, "peft_config", {}):
            raise UselessLora(ref.file)
        transformer.set_adapters([name], [ref.strength])
