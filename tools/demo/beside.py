"""Two stages beside each other in processes of their own, each with half of the threads.

Matrices of toys are too small to be shared well: two threads make a step 1.6 times as fast as one.
"""

import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

import torch


def beside(work: Callable[[str], object], names: Sequence[str]) -> None:
    """Call ``work`` with each name at once; it must go through pickle.

    Raises RuntimeError when one of them fails; the others end with this process.
    """
    context, threads = get_context("spawn"), max(1, torch.get_num_threads() // len(names))
    started = [
        context.Process(target=_one, args=(work, name, threads), name=name, daemon=True)
        for name in names
    ]
    for process in started:
        process.start()
    running = {process.sentinel: process for process in started}
    while running:
        for sentinel in wait(list(running)):
            process = running.pop(sentinel)  # pyright: ignore[reportArgumentType]
            process.join()
            if process.exitcode:
                raise RuntimeError(f"{process.name} ended with exit code {process.exitcode}")


def _one(work: Callable[[str], object], name: str, threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    work(name)


def _end_with_parent() -> None:
    """Else a run that was killed would go on beside the one that takes its place."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
