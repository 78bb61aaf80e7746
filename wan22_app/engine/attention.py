"""Tries the ways to compute attention on a card, and lets a transformer use one of them.

The trial runs in a process of its own: a library built for another card or version may end it, and
must not take an engine along. Its result is kept in a file, for the card and the versions.
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
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from diffusers.models import attention_dispatch
from pydantic import ValidationError

from wan22_app.domain.attention import BACKENDS, MOST_ERROR, NATIVE, Trials, Tried
from wan22_app.domain.catalog import Attention
from wan22_app.engine.versions import device_name, libraries

NAMES: Mapping[Attention, str] = {
    "native": "native",
    "cudnn": "_native_cudnn",
    "flash": "flash",
    "flash3": "_flash_3",
    "xformers": "xformers",
    "sage": "sage",
}
"""What diffusers calls them."""
HEADS, WIDTH = 12, 128
LENGTH = {"cuda": 8192, "cpu": 256}
"""Tokens of a trial."""
ROUNDS = 5
PATIENCE_S = 40.0
"""For one trial: all of them must be over before an engine's first word is missed."""


def use(transformer: Any, name: Attention) -> None:
    """Let self-attention be computed so; that over the text is short and stays torch's own."""
    backend = attention_dispatch.AttentionBackendName(NAMES[name])
    for block in transformer.blocks:
        block.attn1.processor._attention_backend = backend


def trials(device: str, kept: Path) -> Trials:
    """What is known of this card, tried now if nothing is. A processor has torch's own alone."""
    wanted = Trials(device=device_name(device), versions=_versions())
    known = _read(kept)
    if known is not None and (known.device, known.versions) == (wanted.device, wanted.versions):
        return known
    tried = [_in_a_process(name, device) for name in BACKENDS] if device != "cpu" else []
    found = wanted.model_copy(update={"tried": tuple(tried)})
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    # What cannot be kept is only tried again; Windows refuses while somebody reads the old one.
    with contextlib.suppress(OSError):
        part.write_text(found.model_dump_json(), encoding="utf-8")
        part.replace(kept)
    return found


def _read(kept: Path) -> Trials | None:
    try:
        return Trials.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        return None


def _versions() -> str:
    """Of what computes: with another one everything is tried again."""
    packages = [backend.package for backend in BACKENDS.values() if backend.package]
    found = {**libraries(), **{name: _version(name) for name in packages}}
    return " ".join(f"{name} {version}" for name, version in found.items() if version)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _in_a_process(name: Attention, device: str) -> Tried:
    """One trial; whatever ends its process is a reason against it."""
    package = BACKENDS[name].package
    if package and importlib.util.find_spec(package) is None:
        return Tried(name=name, passed=False, why=f"{package} is not installed")
    command = [sys.executable, "-m", "wan22_app.engine.attention", name, "--device", device]
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


def tried(name: Attention, device: torch.device) -> Tried:
    """Compute with random numbers, beside fp32 on the same card and torch's own in bf16."""
    length = LENGTH[device.type]
    chance = torch.Generator("cpu").manual_seed(0)
    query, key, value = (
        torch.randn(1, length, HEADS, WIDTH, generator=chance).to(device) for _ in range(3)
    )
    half = [part.bfloat16() for part in (query, key, value)]
    try:
        exact = _attend(NATIVE, query, key, value)
        found = _attend(name, *half).float()
    except Exception as error:
        # Missing kernels, wrong builds, cards that are too old: each library has its own way.
        return Tried(name=name, passed=False, why=f"{type(error).__name__}: {error}"[:200])
    distance = float((found - exact).norm() / exact.norm())
    most = MOST_ERROR[BACKENDS[name].lossy]
    if not distance <= most:  # which "not a number" is not, either
        why = f"its result is off by {distance:.3f} where {most} is allowed"
        return Tried(name=name, passed=False, error=_number(distance), why=why)
    times = None
    if device.type == "cuda" and name != NATIVE:
        times = round(_seconds(NATIVE, half) / _seconds(name, half), 2)
    return Tried(name=name, passed=True, error=round(distance, 5), times=times)


def _number(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


def _attend(
    name: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad():
        return attention_dispatch.dispatch_attention_fn(
            query, key, value, backend=attention_dispatch.AttentionBackendName(NAMES[name])
        )


def _seconds(name: Attention, half: list[torch.Tensor]) -> float:
    """The quickest of a few rounds, after one to warm up."""
    _attend(name, *half)
    return min(_timed(lambda: _attend(name, *half)) for _ in range(ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Try one way and print what was found."""
    parser = argparse.ArgumentParser(prog="wan22_app.engine.attention")
    parser.add_argument("name", choices=BACKENDS)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    # Whoever waits for it may be killed: a library that hangs must not keep the card's memory.
    limit = threading.Timer(PATIENCE_S, os._exit, (1,))
    limit.daemon = True
    limit.start()
    sys.stdout.write(tried(args.name, torch.device(args.device)).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
