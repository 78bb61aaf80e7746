"""``python -m wan22_app.engine.child``: the engine process. Never imported.

Takes its slot's lock before torch is imported and keeps it for life: whoever gets the lock knows
that the card is free. Ends at once when its standard input ends.
"""

import argparse
import faulthandler
import gc
import os
import queue
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

from wan22_app import __version__
from wan22_app.domain.events import Event, Failed, Ready, Stage
from wan22_app.domain.watch import patience
from wan22_app.domain.work import Exit, Run
from wan22_app.engine.channel import Channel, take_over_stdout

if TYPE_CHECKING:
    from wan22_app.engine.engine import Engine

LOCK_TAKEN = 3
CARD_BROKEN = 75
LOCK_PATIENCE_S = 10.0
NICENESS = 10
ALLOCATOR = "pinned_max_round_threshold_mb:1,pinned_max_cached_size_mb:1"
"""Block offload pins all weights. torch would round each tensor up to a power of two, for A14B half
as much again, and keep what was freed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve runs until idle for too long, told to exit, or left alone."""
    args = _arguments(argv)
    faulthandler.enable()
    lock = FileLock(args.lock, fallback_to_soft=False)
    try:
        lock.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        sys.stderr.write(f"slot {args.slot} is in use by another engine\n")
        return LOCK_TAKEN
    _be_modest()
    _end_with_parent()
    os.environ.setdefault("PYTORCH_ALLOC_CONF", ALLOCATOR)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", args.compiled)
    # A pool of compilers would outlive an engine that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    channel = Channel(sys.stdin.buffer, take_over_stdout())
    channel.start()
    return _serve(channel, args)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wan22_app.engine.child")
    parser.add_argument("--slot", required=True)
    parser.add_argument("--lock", required=True, help="lock file of the slot")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--embeddings", type=Path, required=True, help="folder of read prompts")
    parser.add_argument("--quantized", type=Path, required=True, help="folder of quantized copies")
    parser.add_argument("--trials", type=Path, required=True, help="file of what was tried")
    parser.add_argument("--compiled", required=True, help="folder of compiled regions")
    parser.add_argument("--idle-seconds", type=float, default=600.0)
    parser.add_argument("--save-seconds", type=float, default=30.0, help="between saved latents")
    return parser.parse_args(argv)


def _serve(channel: Channel, args: argparse.Namespace) -> int:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "1"  # weights are fetched elsewhere; a run never waits for a network
    # Late: importing torch takes seconds and must not happen without the lock.
    from wan22_app.engine.engine import Engine, use_threads
    from wan22_app.engine.quantized import Copies
    from wan22_app.engine.source import Disk
    from wan22_app.engine.trials import trials
    from wan22_app.engine.versions import versions

    # What the libraries brought stays for life. Looked through again at each of a run's collections
    # it cost half a second a job, in which nothing was computed.
    gc.collect()
    gc.freeze()
    use_threads(_usable_cores() - 1)
    found = trials(args.device, args.trials)
    passed = (*found.attention, *found.compilation)
    engine = Engine(args.embeddings, args.save_seconds, Disk(Copies(args.quantized)), passed)
    channel.say(Ready(pid=os.getpid(), device=args.device, versions=versions(__version__)))
    while True:
        try:
            command = channel.inbox.get(timeout=args.idle_seconds)
        except queue.Empty:
            return 0
        if isinstance(command, Exit):
            return 0
        if isinstance(command, Run) and _run(engine, channel, command):
            return CARD_BROKEN


def _run(engine: "Engine", channel: Channel, command: Run) -> bool:
    """Do one run; True when the process can compute nothing any more."""
    fatal, stage = False, None

    def emit(event: Event) -> None:
        nonlocal fatal, stage
        fatal = isinstance(event, Failed) and event.fatal
        stage = getattr(event, "stage", stage)
        _watch(stage)
        channel.say(event)

    job_id = command.work.job_id
    _watch(None)
    engine.run(command.work, emit, channel.flag(job_id))
    faulthandler.cancel_dump_traceback_later()
    channel.forget(job_id)
    return fatal


def _watch(stage: Stage | None) -> None:
    """Write all stacks to the log shortly before the dispatcher loses its patience.

    From a thread of C: it works even while a hung call holds the interpreter.
    """
    faulthandler.dump_traceback_later(patience(stage) * 0.9)


def _usable_cores() -> int:
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return len(process.cpu_affinity() or [0])
    return psutil.cpu_count() or 1


def _be_modest() -> None:
    """The web must stay quick while a run computes."""
    nice = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS
    psutil.Process().nice(nice)


def _end_with_parent() -> None:
    """A hung engine cannot read the end of its input; on Linux the kernel ends it then."""
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    sys.exit(main())
