"""A training run can be stopped anywhere and goes on as if it had not been."""

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from tools.demo import training
from tools.demo.training import Stage, Workshop, rate_at, train

STAGE = Stage("line", steps=12, rate=0.05, warmup=3)


class Killed(Exception):
    """Stands for a power cut."""


def fit(folder: Path, stop_at: int | None = None) -> tuple[dict[str, torch.Tensor], int]:
    """Fit a line; returns its weights and the number of steps that were taken."""
    folder.mkdir(exist_ok=True)
    workshop, taken = Workshop(folder, 7, lambda line: None), 0
    workshop.chance("weights")
    line = nn.Linear(3, 1)

    def loss(step: int, chance: random.Random) -> torch.Tensor:
        nonlocal taken
        if step == stop_at:
            raise Killed
        taken += 1
        inputs = torch.randn(8, 3) * chance.uniform(0.5, 1.5)
        return (line(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    train(workshop, STAGE, line, loss)
    return {name: value.detach() for name, value in line.named_parameters()}, taken


def test_a_killed_run_ends_like_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_SECONDS", 0.0)
    whole, taken = fit(tmp_path / "a")
    with pytest.raises(Killed):
        fit(tmp_path / "b", stop_at=5)
    resumed, rest = fit(tmp_path / "b")
    assert (taken, rest) == (12, 7)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first, _ = fit(tmp_path)
    again, taken = fit(tmp_path)
    assert taken == 0
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_rate_rises_then_falls_to_the_floor() -> None:
    rates = [rate_at(STAGE, step) for step in range(STAGE.steps)]
    assert max(rates) == rates[STAGE.warmup - 1] or max(rates) == rates[STAGE.warmup]
    assert rates[-1] < 0.1 * STAGE.rate
