"""What a run has already computed, kept on the disk so that a killed one goes on.

One safetensors file a job: the latents and the solver's memory after a step, or the final latents.
It names what the numbers depend on; with another of these a run starts over instead of going on
with numbers that an undisturbed run would not have had.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wan22_app.domain.work import Work

PLACEMENT = {"offload", "keep", "tile", "chunk", "vae_precision", "may_reduce"}
"""Fields of a request that are wishes for its plan."""
FORMAT = "1"
SAVE_EVERY_S = 30.0
MEMORY_ONLY = {"tile", "chunk"}
LATENTS = "latents"
LAST_SAMPLE = "last_sample"
MODEL_OUTPUT = "model_output_{}"


@dataclass(frozen=True)
class Saved:
    """The state after ``step`` of the steps. ``memory`` is empty for final latents."""

    step: int
    latents: torch.Tensor
    memory: Mapping[str, torch.Tensor]
    orders: tuple[int, int]
    """The solver's order now, and how many of its lower orders it has been through."""
    seconds: float
    """Spent on denoising so far, all runs together."""

    @property
    def final(self) -> bool:
        """Ready to be decoded: the state after the last step is not, where a frame was given."""
        return not self.memory


class Store:
    """The file of one job. Saving never stops a run: what cannot be written is only lost time."""

    def __init__(
        self,
        path: Path,
        basis: Mapping[str, object],
        every_s: float,
        spent: Callable[[], float],
    ):
        self._path = path
        self._spent = spent
        self._basis = {name: json.dumps(value, sort_keys=True) for name, value in basis.items()}
        self._every = every_s
        self._saved_at = time.monotonic()
        self._writer: threading.Thread | None = None

    def read(self) -> tuple[Saved | None, list[str]]:
        """What was saved, if it may be used; else the names of what has changed since."""
        try:
            with safe_open(self._path, framework="pt") as file:
                notes = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            step, orders = int(notes["step"]), json.loads(notes["orders"])
            seconds = float(notes["seconds"])
            latents = tensors.pop(LATENTS)
        except FileNotFoundError:
            return None, []
        except (OSError, SafetensorError, KeyError, ValueError):
            # Cut short by a power cut, or of another program: as if it were not there.
            return None, ["file"]
        changed = [name for name, value in self._basis.items() if notes.get(name) != value]
        if not tensors and set(changed) <= MEMORY_ONLY:
            # Finished latents wait for the decoder alone: these change no more than memory there.
            changed = []
        if changed:
            return None, changed
        return Saved(step, latents, tensors, (orders[0], orders[1]), seconds), []

    def step(
        self,
        solver: Any,
        latents: torch.Tensor,
        step: int,
        more: Mapping[str, torch.Tensor],
        *,
        must: bool = False,
    ) -> None:
        """Save after a step, if it ``must`` be or it is time and the last save is written; ``more``
        goes along."""
        busy = self._writer is not None and self._writer.is_alive()
        if not must and (busy or time.monotonic() - self._saved_at < self._every):
            return
        self.settle()
        self._saved_at = time.monotonic()
        orders = (int(solver.this_order), int(solver.lower_order_nums))
        tensors = _copies({LATENTS: latents, **_memory(solver), **more})
        # On a thread: the copy is quick, but a slow disk must not hold up the card.
        self._writer = threading.Thread(
            target=self._write, args=(tensors, step, orders), daemon=True
        )
        self._writer.start()

    def final(self, latents: torch.Tensor, step: int) -> None:
        """Save the finished latents before anything is done with them."""
        self.settle()
        self._write(_copies({LATENTS: latents}), step, (0, 0))

    def settle(self) -> None:
        """Wait for a save that is under way: two would write one file."""
        if self._writer is not None:
            self._writer.join()

    def _write(self, tensors: dict[str, torch.Tensor], step: int, orders: tuple[int, int]) -> None:
        notes = {
            **self._basis,
            "step": str(step),
            "orders": json.dumps(orders),
            "seconds": str(self._spent()),
        }
        part = self._path.with_suffix(".part")
        with contextlib.suppress(OSError, SafetensorError):
            save_file(tensors, part, metadata=notes)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(self._path)


def basis(work: Work, libraries: Mapping[str, str]) -> dict[str, object]:
    """What the numbers depend on; ``libraries`` are the versions of those that compute.

    Offload moves weights and changes no bit, no more does what may be done about a want of memory.
    Chunks change the rounding. Tiles only matter where an image is encoded; the decoder's precision
    and the frame rate come later.
    """
    request = work.request.model_dump(mode="json", exclude=PLACEMENT | {"fps"})
    return {
        "format": FORMAT,
        "request": request,
        "weights": work.entry.revision,
        "device": work.plan.device,
        "precision": work.plan.precision,
        "chunk": work.plan.chunk,
        "tile": work.plan.tile if work.request.begins_with_pictures else None,
        "versions": dict(libraries),
    }


def restore(solver: Any, saved: Saved) -> None:
    """Put the solver where it was after the saved step."""
    device = solver.timesteps.device
    order = len(solver.model_outputs)
    outputs = [saved.memory.get(MODEL_OUTPUT.format(index)) for index in range(order)]
    solver.model_outputs = [None if one is None else one.to(device) for one in outputs]
    last = saved.memory.get(LAST_SAMPLE)
    solver.last_sample = None if last is None else last.to(device)
    solver.this_order, solver.lower_order_nums = saved.orders
    solver.set_begin_index(saved.step)


def _memory(solver: Any) -> dict[str, torch.Tensor]:
    named = {MODEL_OUTPUT.format(index): one for index, one in enumerate(solver.model_outputs)}
    named[LAST_SAMPLE] = solver.last_sample
    return {name: value for name, value in named.items() if value is not None}


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the CPU and independent of what the run overwrites next; the types stay."""
    return {name: value.detach().to("cpu", copy=True).contiguous()
            for name, value in tensors.items()}  # fmt: skip
