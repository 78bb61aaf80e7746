"""The pipe to the parent: commands in, events out, and nothing else on the line."""

import os
import queue
import sys
import threading
from typing import BinaryIO

from pydantic import ValidationError

from wan22_app.domain.events import Event
from wan22_app.domain.work import Cancel, Command, Run, parse_command


def take_over_stdout() -> BinaryIO:
    """Keep the real standard output for events; whatever libraries print goes to the log."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return out


class Channel:
    """Reads commands on a thread of its own, so that a cancel arrives in the middle of a run."""

    def __init__(self, commands: BinaryIO, events: BinaryIO):
        self._commands = commands
        self._events = events
        self._writing = threading.Lock()
        self._flags: dict[str, threading.Event] = {}
        self.inbox: queue.Queue[Command] = queue.Queue()

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def say(self, event: Event) -> None:
        """Send one event; a parent that has gone is noticed by the listener."""
        line = event.model_dump_json().encode() + b"\n"
        with self._writing:
            try:
                self._events.write(line)
            except OSError:
                os._exit(0)

    def flag(self, job_id: str) -> threading.Event:
        """The event that is set when this job is cancelled."""
        return self._flags.setdefault(job_id, threading.Event())

    def forget(self, job_id: str) -> None:
        """The job has ended."""
        self._flags.pop(job_id, None)

    def _listen(self) -> None:
        for line in self._commands:
            self._take(line)
        # The parent is gone or wants us gone: the card must be free at once, in mid-run too.
        os._exit(0)

    def _take(self, line: bytes) -> None:
        try:
            command = parse_command(line)
        except ValidationError as error:
            sys.stderr.write(f"not a command: {error}\n")
            return
        if isinstance(command, Cancel):
            flag = self._flags.get(command.job_id)
            if flag is not None:
                flag.set()
            return
        if isinstance(command, Run):
            self.flag(command.work.job_id)
        self.inbox.put(command)
