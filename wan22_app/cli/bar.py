"""A progress bar on a terminal; silence everywhere else."""

from typing import TextIO

from wan22_app.domain.job import HoldReason, Job

WIDTH = 24
WAITS = {
    HoldReason.PAUSED: "paused",
    HoldReason.WEIGHTS: "waits for weights",
    HoldReason.SPACE: "waits for disk space",
    HoldReason.MINUTES: "waits: the minutes for 24 hours are used up",
}


class Bar:
    """Redraws one line; writes nothing when the stream is no terminal."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._live = stream.isatty()
        self._drawn = ""

    def show(self, job: Job) -> None:
        """Draw the job's stage and step if they changed."""
        self.draw(describe(job))

    def draw(self, line: str) -> None:
        """Put this line in place of the last one."""
        if self._live and line != self._drawn:
            self._stream.write("\r" + line.ljust(len(self._drawn)))
            self._stream.flush()
            self._drawn = line

    def close(self) -> None:
        """Leave the line to what comes next."""
        if self._drawn:
            self._stream.write("\r" + " " * len(self._drawn) + "\r")
            self._stream.flush()


def describe(job: Job) -> str:
    """One line: the stage with a bar and its count, or why the job waits."""
    progress = job.progress
    if progress is None:
        return WAITS.get(job.hold, "waiting" if job.started_at is None else "starting")
    total = max(progress.total, 1)
    filled = WIDTH * min(progress.done, total) // total
    expert = f" {progress.expert}-noise" if progress.expert else ""
    bar = "=" * filled + "-" * (WIDTH - filled)
    return f"{progress.stage:<9} [{bar}] {progress.done}/{progress.total}{expert}"
