"""``python -m benchmarks.preview``: what a picture after each step costs at real size.

The run's own thread turns predicted latents into colours; another thread writes the moving WebP.
Both are timed on this machine's processor with latents of the real sizes, and the first is set
beside a step as the plan foresees it on some cards (arithmetic, not measured). On a card the
colours are made there, in less. Writes ``benchmarks/results/preview.json``.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import publish
from wan22_app.domain.cards import card_of
from wan22_app.domain.catalog import T2V_A14B, TI2V_5B, ModelSpec
from wan22_app.domain.events import Stage
from wan22_app.domain.footprint import seconds_on
from wan22_app.domain.generation import GenerationRequest
from wan22_app.engine.preview import coloured, write

ROUNDS = 7
TARGET = 0.003
"""Of a step."""
CARDS = ("RTX 4080", "RTX 4090", "RTX 5090")
SIZES: tuple[tuple[ModelSpec, tuple[int, int], tuple[int, ...]], ...] = (
    (TI2V_5B, (1280, 704), (48, 31, 44, 80)),
    (T2V_A14B, (832, 480), (16, 21, 60, 104)),
    (T2V_A14B, (1280, 720), (16, 21, 90, 160)),
)
"""Models, sizes of the video, and shapes ``[C, T, h, w]`` of their latents at the usual length."""


def main() -> int:
    """Measure and report; exit code 1 where a step would pay more than the target."""
    rows = [_row(*size) for size in SIZES]
    publish("preview", {"cores": torch.get_num_threads(), "sizes": rows})
    return 0 if all(max(row["share_of_a_step"].values()) <= TARGET for row in rows) else 1


def _row(spec: ModelSpec, size: tuple[int, int], shape: tuple[int, ...]) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(0)
    latents = torch.randn(1, *shape, generator=chance)
    colours = torch.randn(2, shape[0] + 1, 3, generator=chance) * 0.2
    pictures = coloured(latents, colours)
    on_thread = _median(lambda: coloured(latents, colours))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.preview.part"
        beside = _median(lambda: write(path, pictures))
        size_kb = path.stat().st_size / 1000
    width, height = size
    request = GenerationRequest.build(spec, {"prompt": "x", "width": width, "height": height}, 1)
    return {
        "model": spec.key,
        "size": f"{width}x{height}x{request.frames}",
        "colours_ms": round(1000 * on_thread, 1),
        "writing_on_its_own_thread_ms": round(1000 * beside, 1),
        "kb_of_noise": round(size_kb),
        "share_of_a_step": {
            name: round(on_thread / _step(name, spec, request), 5) for name in CARDS
        },
    }


def _step(name: str, spec: ModelSpec, request: GenerationRequest) -> float:
    """Seconds of one step on a card, by arithmetic."""
    card = card_of(name)
    assert card is not None
    return seconds_on(card, spec, request, None)[Stage.DENOISING] / request.steps


def _median(work: Callable[[], object]) -> float:
    spent: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


if __name__ == "__main__":
    sys.exit(main())
