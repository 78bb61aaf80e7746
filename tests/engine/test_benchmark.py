"""The program that people run on a card, tried with the demo layouts."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import engine, report


@pytest.mark.slow
def test_the_engine_is_measured_beside_stock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    asked = ["--steps", "2", "--with", "precision=bf16", "quantization=int8"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.engine", *asked])
    assert engine.main() == 0
    found = json.loads((tmp_path / "engine-demo-t2v.json").read_text(encoding="utf-8"))
    (row,) = found["rows"]
    assert found["with"] == {"precision": "bf16", "quantization": "int8"}
    assert found["stock"]["seconds"] > 0
    assert row["stock_over_ours"]["seconds"] > 0
    apart = row["latents_from_stock"]
    assert not apart["equal"], "eight bits round"
    assert 0 < apart["mean_distance"] < 0.5 * apart["deviation_of_stock"]
