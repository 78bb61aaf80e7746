"""One resumable training loop for every stage.

The random numbers of a step depend on the seed, the stage and the step alone, so a run that was
killed and goes on at its last save draws what an undisturbed one would have drawn.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tools.demo.muon import Muon

SAVE_SECONDS = 60.0
LOOK_SECONDS = 600.0
REPORT_STEPS = 20


@dataclass(frozen=True)
class Workshop:
    """Where training keeps what it has, and what it starts its random numbers from."""

    folder: Path
    seed: int
    say: Callable[[str], None]
    """Gets one line at a time."""

    def path(self, name: str) -> Path:
        """A file of this run."""
        return self.folder / name

    def chance(self, *names: object) -> random.Random:
        """Random choices for this purpose; seeds torch, too."""
        chance = random.Random("/".join(map(str, (self.seed, *names))))
        torch.manual_seed(chance.getrandbits(63))
        return chance


@dataclass(frozen=True)
class Stage:
    """How long and how fast a module is trained. ``smoothing`` is the decay of averaged weights."""

    name: str
    steps: int
    rate: float
    warmup: int = 100
    smoothing: float = 0.998
    floor: float = 0.02
    """The last learning rate over the highest."""


Loss = Callable[[int, random.Random], torch.Tensor]
"""From the number of the step, and its choices, to what is made smaller."""


def train(
    workshop: Workshop,
    stage: Stage,
    module: nn.Module,
    loss: Loss,
    look: Callable[[int], None] = lambda step: None,
) -> None:
    """Train what is trainable in the module, or load it when that was done before.

    Ends with the averaged weights in the module. ``look`` is called with them now and then.
    """
    weights = {name: value for name, value in module.named_parameters() if value.requires_grad}
    done = workshop.path(f"{stage.name}.pt")
    if done.exists():
        _put(weights, _read(done)["smooth"])
        return
    optimizers = _optimizers(weights, stage.rate)
    smooth = {name: value.detach().clone() for name, value in weights.items()}
    part = workshop.path(f"{stage.name}.part.pt")
    first = 0
    if part.exists():
        state = _read(part)
        first = state["step"]
        smooth = {name: value.to(weights[name]) for name, value in state["smooth"].items()}
        _put(weights, state["weights"])
        for optimizer, values in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        workshop.say(f"{stage.name}: goes on at step {first}")
    saved = looked = told = time.monotonic()
    heard = first
    average: float | None = None
    for step in range(first, stage.steps):
        module.train()
        value = loss(step, workshop.chance(stage.name, step))
        module.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate_at(stage, step)
            optimizer.step()
        decay = min(stage.smoothing, (1 + step) / (10 + step))
        for name, weight in weights.items():
            smooth[name].lerp_(weight.detach(), 1 - decay)
        average = value.item() if average is None else 0.98 * average + 0.02 * value.item()
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == stage.steps:
            # Since the last report: the first steps compile, one for each size of clips.
            pace = (time.monotonic() - told) / (step + 1 - heard)
            told, heard = time.monotonic(), step + 1
            left = pace * (stage.steps - step - 1) / 60
            workshop.say(
                f"{stage.name}: step {step + 1} of {stage.steps}, loss {average:.4f}, "
                f"{pace:.2f} s a step, {left:.0f} min left"
            )
        if time.monotonic() - saved > SAVE_SECONDS:
            state = {"step": step + 1, "weights": weights, "smooth": smooth,
                     "optimizers": [each.state_dict() for each in optimizers]}  # fmt: skip
            _write(part, state)
            saved = time.monotonic()
        if time.monotonic() - looked > LOOK_SECONDS:
            _look(weights, smooth, lambda at=step + 1: look(at))
            looked = time.monotonic()
    _put(weights, smooth)
    look(stage.steps)
    _write(done, {"smooth": smooth})
    part.unlink(missing_ok=True)


def _optimizers(weights: dict[str, nn.Parameter], rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of transformer blocks, AdamW for everything else.

    T2V's trunk, gone on from its step 787 with either: after 113 steps Muon's loss was where
    AdamW's was after about 250. Its steps are scaled to AdamW's size, so one rate serves both.
    """
    matrices = {
        name: weight
        for name, weight in weights.items()
        if name.startswith("blocks.") and weight.ndim == 2
    }
    others = [weight for name, weight in weights.items() if name not in matrices]
    made: list[torch.optim.Optimizer] = []
    if matrices:
        made.append(Muon(matrices.values(), rate))
    if others:
        made.append(torch.optim.AdamW(others, rate, betas=(0.9, 0.95)))
    return made


def rate_at(stage: Stage, step: int) -> float:
    """Linear warm-up, then half a cosine down to the floor."""
    rise = min(1.0, (step + 1) / stage.warmup)
    fall = (1 + math.cos(math.pi * step / stage.steps)) / 2
    return stage.rate * rise * (stage.floor + (1 - stage.floor) * fall)


def _look(
    weights: dict[str, Any], smooth: dict[str, torch.Tensor], look: Callable[[], None]
) -> None:
    """Show the averaged weights, then put the trained ones back."""
    rough = {name: weight.detach().clone() for name, weight in weights.items()}
    _put(weights, smooth)
    look()
    _put(weights, rough)


def _put(weights: dict[str, Any], values: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(values[name])


def _read(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location="cpu", weights_only=True)


def _write(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all: a kill in the middle must leave the last save."""
    new = path.with_suffix(".new")
    torch.save(state, new)
    new.replace(path)
