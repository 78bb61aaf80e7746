"""Ceilings that a process sets for itself before it reads what a stranger made."""

import contextlib
import sys


def limit_self(memory_bytes: int, cpu_seconds: int) -> None:
    """A ceiling on memory and time that the kernel keeps; Windows has the parent's watch only."""
    if sys.platform == "win32":
        return
    import resource

    limits = ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds))
    for kind, most in limits:
        # macOS knows the limit on memory but refuses to set it.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))
