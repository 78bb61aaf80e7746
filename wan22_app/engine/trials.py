"""Tries on a card what not every card can: ways to compute attention, compiled regions.

Each trial runs in a process of its own: a library built for another card or version may end it, and
must not take an engine along. The results are kept in a file, for the card and the versions.
"""

import argparse
import contextlib
import importlib.util
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from wan22_app.domain.attention import BACKENDS
from wan22_app.domain.catalog import Attention, Compilation
from wan22_app.domain.output import LIBRARIES
from wan22_app.domain.trials import Trials, Tried
from wan22_app.engine.versions import device_name, libraries

ROUNDS = 5
PATIENCE_S = 35.0
"""For one trial: all of them must be over before an engine's first word is missed."""
COMPILER = "triton"
LENGTH = {"cuda": 8192, "cpu": 256}
"""Tokens of a trial."""


def trials(device: str, kept: Path) -> Trials:
    """What is known of this card, tried now if nothing is. A processor has torch's own alone."""
    wanted = Trials(device=device_name(device), versions=_versions())
    known = _read(kept)
    if known is not None and (known.device, known.versions) == (wanted.device, wanted.versions):
        return known
    found = wanted.model_copy(update={"tried": tuple(_all(device) if device != "cpu" else ())})
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    # What cannot be kept is only tried again; Windows refuses while somebody reads the old one.
    with contextlib.suppress(OSError):
        part.write_text(found.model_dump_json(), encoding="utf-8")
        part.replace(kept)
    return found


def _all(device: str) -> Iterator[Tried]:
    for name, backend in BACKENDS.items():
        yield in_a_process("attention", name, backend.package, device)
    yield in_a_process("regions", "regional", COMPILER, device)


def _read(kept: Path) -> Trials | None:
    try:
        return Trials.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        return None


def _versions() -> str:
    """Of what computes: with another one everything is tried again."""
    packages = [backend.package for backend in BACKENDS.values() if backend.package]
    found = libraries((*LIBRARIES, *packages, COMPILER))
    return " ".join(f"{name} {version}" for name, version in found.items())


def in_a_process(module: str, name: Attention | Compilation, package: str, device: str) -> Tried:
    """One trial; whatever ends its process is a reason against it."""
    if package and importlib.util.find_spec(package) is None:
        return Tried(name=name, passed=False, why=f"{package} is not installed")
    command = [sys.executable, "-m", f"wan22_app.engine.{module}", name, "--device", device]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Tried(name=name, passed=False, why="it took too long")
    try:
        return Tried.model_validate_json(done.stdout.splitlines()[-1])
    except (ValidationError, IndexError):
        return Tried(name=name, passed=False, why=f"its process ended with {done.returncode}")


def answer(program: str, names: Iterable[str], tried: Callable[[Any, torch.device], Tried]) -> None:
    """What a trial's process does: try one way and print what was found."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("name", choices=list(names))
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    # Whoever waits for it may be killed: a library that hangs must not keep the card's memory.
    limit = threading.Timer(PATIENCE_S, os._exit, (1,))
    limit.daemon = True
    limit.start()
    sys.stdout.write(tried(args.name, torch.device(args.device)).model_dump_json() + "\n")


def judged(
    name: Attention | Compilation, found: torch.Tensor, exact: torch.Tensor, most: float
) -> Tried:
    """Whether a result is near enough to fp32's: ``most`` is its distance over the length."""
    distance = float((found.float() - exact).norm() / exact.norm())
    error = round(distance, 5) if math.isfinite(distance) else None
    if distance <= most:  # which "not a number" is not
        return Tried(name=name, passed=True, error=error)
    why = f"its result is off by {distance:.3f} where {most} is allowed"
    return Tried(name=name, passed=False, error=error, why=why)


def seconds(work: Callable[[], object]) -> float:
    """On a card, the quickest of a few rounds after one to warm up."""
    work()
    return min(_timed(work) for _ in range(ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began
