"""Whether a process grows with its work: looks at it, and what they say after a warm-up."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

KB, MB = 1000, 1_000_000
BYTES_A_JOB = 500
"""Most that memory may grow."""
NOISE_BYTES = 500_000
"""Allowed besides: the web's memory goes up and down by up to 200 KB while nothing grows, and the
dispatcher's settles in steps of up to 100 KB. Over a few hundred jobs that is more than 500 bytes a
job; over thousands it hardly counts."""
FLAT = ("files", "threads", "children")
Figures = dict[str, object]


@dataclass(frozen=True)
class Look:
    """What a process held when so many jobs had ended."""

    jobs: int
    memory: int
    """Bytes that are its own where the system tells (USS), else those in main memory (RSS)."""
    files: int
    threads: int
    children: int


def look(process: psutil.Process, jobs: int) -> Look:
    """Raises psutil.NoSuchProcess when it is gone: nobody may take its place unnoticed."""
    if process.status() == psutil.STATUS_ZOMBIE:
        raise psutil.ZombieProcess(process.pid)
    memory = process.memory_full_info()
    return Look(
        jobs=jobs,
        memory=getattr(memory, "uss", memory.rss),
        files=getattr(process, "num_fds" if psutil.POSIX else "num_handles")(),
        threads=process.num_threads(),
        children=len(process.children(recursive=True)),
    )


def growth(looks: Sequence[Look]) -> Iterator[str]:
    """What has grown, in words; nothing when all is as it was."""
    first, last = _ends(looks)
    jobs = last.jobs - first.jobs
    if last.memory - first.memory > BYTES_A_JOB * jobs + NOISE_BYTES:
        yield f"memory grew by {(last.memory - first.memory) / KB:.0f} KB over {jobs} jobs"
    for what in FLAT:
        before, after = getattr(first, what), getattr(last, what)
        if before != after:
            yield f"{what}: {after} instead of {before}"


def figures(looks: Sequence[Look]) -> Figures:
    """First and last, for a report."""
    first, last = _ends(looks)
    jobs = last.jobs - first.jobs
    kept = {what: [getattr(first, what), getattr(last, what)] for what in FLAT}
    return {
        "memory_mb": [round(first.memory / MB, 2), round(last.memory / MB, 2)],
        "bytes_a_job": round((last.memory - first.memory) / jobs),
        "memory_mb_meanwhile": [round(each.memory / MB, 1) for each in looks[:: _every(looks)]],
        **kept,
    }


def _every(looks: Sequence[Look]) -> int:
    """How many looks to skip so that some twenty tell a step from a slope."""
    return max(1, len(looks) // 20)


def _ends(looks: Sequence[Look]) -> tuple[Look, Look]:
    """The first and the last fifth, each as one look."""
    fifth = max(1, len(looks) // 5)
    return _typical(looks[:fifth]), _typical(looks[-fifth:])


def _typical(looks: Sequence[Look]) -> Look:
    """The median of jobs and memory, for an allocator takes and gives back in steps. The least of
    the rest: a file that is open for a moment is no growth, one that stays open raises the least.
    """
    return Look(
        jobs=statistics.median_low(each.jobs for each in looks),
        memory=statistics.median_low(each.memory for each in looks),
        files=min(each.files for each in looks),
        threads=min(each.threads for each in looks),
        children=min(each.children for each in looks),
    )
