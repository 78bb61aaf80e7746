"""Downloaders as processes of this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from wan22_app.adapters.logs import appended
from wan22_app.domain.download import Download
from wan22_app.ports import Fetch

LOG = "downloader.log"
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}
"""Nothing is asked of the hub but the weights."""

Command = Callable[[str], Sequence[str]]
"""From a download's id to the command line of its downloader."""


class ProcessFetcher:
    """Fetcher over child processes; ``on_exit`` is called from a thread when one has ended."""

    def __init__(self, command: Command, logs: Path, on_exit: Callable[[], None]):
        self._command = command
        self._log = logs / LOG
        self._on_exit = on_exit

    def start(self, download: Download) -> Fetch:
        return ProcessFetch(self._command(download.id), self._log, self._on_exit)


class ProcessFetch:
    """A child that ends with its standard input, so that it never outlives the dispatcher."""

    def __init__(self, command: Sequence[str], log: Path, on_exit: Callable[[], None]):
        self._log = log
        with appended(log) as out:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={**os.environ, **QUIET},
                creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
            )
        self._waiter = threading.Thread(
            target=self._wait, args=(on_exit,), name="downloader-end", daemon=True
        )
        self._waiter.start()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()
        self._waiter.join()

    def last_words(self) -> str:
        try:
            return self._log.read_bytes()[-2000:].decode(errors="replace")
        except OSError:
            return ""

    def _wait(self, on_exit: Callable[[], None]) -> None:
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        on_exit()
