"""One engine process: its pipes, its log, its end."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from pydantic import ValidationError

from wan22_app.adapters.logs import appended
from wan22_app.domain.events import Event, Ready, parse_event
from wan22_app.domain.values import Value

LOG_LINES = 20
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}


class EngineProcess:
    """A child that speaks the engine's protocol. ``on_event`` is called from a thread of its own.

    ``events`` ends with None once the pipe has ended and the process is gone.
    """

    def __init__(self, command: Sequence[str], log: Path, on_event: Callable[[], None]):
        self._log = log
        self._on_event = on_event
        self.events: queue.Queue[Event | None] = queue.Queue()
        flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
        with appended(log) as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **OFFLINE},
                creationflags=flags,
            )
        self._reader = threading.Thread(target=self._read, name="engine-events", daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """None while it lives; negative for a signal on POSIX."""
        return self._process.poll()

    def say(self, command: Value) -> None:
        """Send one command; a broken pipe is noticed by the reader."""
        stream = self._process.stdin
        assert stream is not None
        try:
            stream.write(command.model_dump_json().encode() + b"\n")
            stream.flush()
        except (OSError, ValueError):
            return  # closed: the process is gone

    def kill(self) -> None:
        """End it and whatever it started; returns when it is gone."""
        try:
            process = psutil.Process(self._process.pid)
            family = [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            family = []
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        self._reader.join()

    def log_tail(self) -> str:
        """The last lines of its log."""
        try:
            text = self._log.read_bytes()[-8000:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LOG_LINES:])

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        for line in stream:
            try:
                event = parse_event(line)
            except ValidationError:
                continue  # not ours: a library wrote past the redirection
            if not isinstance(event, Ready):
                self.events.put(event)
                self._on_event()
        self._process.wait()
        for pipe in (stream, self._process.stdin):
            # Closing flushes what the dead process will never read.
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.events.put(None)
        self._on_event()
