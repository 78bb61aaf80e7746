"""One job's LoRAs, put in and taken out again without a trace."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from safetensors.torch import load_file

from wan22_app.domain.generation import LoraRef

NAME = "lora{}"
Expert = Literal["high", "low"]


class UselessLora(Exception):
    """Nothing in the file matched the model: it would silently do nothing."""


@contextmanager
def applied(
    pipeline: Any,
    targets: Mapping[Expert, str],
    refs: Sequence[LoraRef],
    paths: Sequence[str],
) -> Iterator[None]:
    """The pipeline with these LoRAs; the base comes back to the bit afterwards.

    ``targets`` says under which name each expert lies in the pipeline.
    """
    try:
        for index, (ref, path) in enumerate(zip(refs, paths, strict=True)):
            _load(pipeline, targets, NAME.format(index), ref, path)
        yield
    finally:
        if refs:
            pipeline.unload_lora_weights()


def _load(pipeline: Any, targets: Mapping[Expert, str], name: str, ref: LoraRef, path: str) -> None:
    weights = load_file(path)
    for expert, target in targets.items():
        transformer = getattr(pipeline, target)
        if transformer is None or ref.expert not in ("both", expert):
            continue
        low = target == "transformer_2"
        pipeline.load_lora_weights(
            dict(weights), adapter_name=name, load_into_transformer_2=low, use_safetensors=True
        )
        if name not in getattr(transformer, "peft_config", {}):
            raise UselessLora(ref.file)
        transformer.set_adapters([name], [ref.strength])
