"""Defaults of a generation that were changed on a page: kept in the database, where they win."""

from wan22_app.domain.catalog import (
    ModelSpec,
    Precision,
    Quantization,
    TextQuantization,
    VaePrecision,
)
from wan22_app.domain.generation import ChunkChoice, KeepChoice, OffloadChoice, TileChoice
from wan22_app.domain.quantization import PRECISION
from wan22_app.domain.values import Value

SETTING = "generation_defaults"


class GenerationDefaults(Value):
    """``precision`` None means each model's own: bf16 for Wan2.2, fp32 for the demo models.

    Quantization is for models that compute in its type; the others stay as they are.
    """

    precision: Precision | None = None
    vae_precision: VaePrecision = "fp32"
    quantization: Quantization = "none"
    text_quantization: TextQuantization = "none"
    offload: OffloadChoice = "auto"
    keep: KeepChoice = "auto"
    tile: TileChoice = "auto"
    chunk: ChunkChoice = "auto"
    may_reduce: bool = False

    def fields(self, spec: ModelSpec) -> dict[str, object]:
        """The fields of a request for this model."""
        precision = self.precision or spec.precision
        values = self.model_dump(exclude={"precision"})
        if precision != PRECISION:
            values |= {"quantization": "none", "text_quantization": "none"}
        if spec.packed:
            values["quantization"] = "none"
        return {"precision": precision, **values}
