"""The disk under test: calls that change files are counted, refused, logged by ``disk.c``.

Linux with glibc and a C compiler; ``missing`` says what is not there.
"""

import ctypes
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("disk.c")
PROJECT = SOURCE.parents[2]
CONTROL = struct.Struct("=4q4160s")
RECORD = struct.Struct("=5q")
INHERITED = ("DISK_FOLDER", "DISK_CONTROL", "DISK_LOG")
KILL = 0
"""In place of an error's number: the process is killed before the call."""


def missing() -> str:
    """What this machine lacks, empty when it has all."""
    if sys.platform != "linux":
        return "calls are stood before by LD_PRELOAD, as Linux has it"
    return "" if _compiler() else "there is no C compiler to build tests/faults/disk.c with"


def run(module: str, *arguments: object) -> dict[str, Any]:
    """Run one of our modules, and what it starts, over a disk that can be watched.

    Returns the JSON that it prints; raises RuntimeError with its last words when it breaks off.
    """
    with tempfile.TemporaryDirectory() as folder:
        shim = Path(folder, "disk.so")
        build = [_compiler(), "-shared", "-fPIC", "-O1", "-o", str(shim), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True)
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "LD_PRELOAD": str(shim)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-5000:])
    return json.loads(done.stdout)


def _compiler() -> str:
    return shutil.which("cc") or shutil.which("gcc") or ""


@dataclass(frozen=True)
class Record:
    """One call that was done: W write, T truncate, S sync, C create, R rename, U unlink,

    D sync of a folder; N is a note of our own.
    """

    kind: str
    inode: int
    offset: int
    path: str
    data: bytes


class Watch:
    """Watches what this process and all that it starts do beneath ``folder``.

    The two files of the watch lie ``beside`` it. Only in a process that ``run`` has started.
    """

    def __init__(self, folder: Path, beside: Path, *, logged: bool = False):
        control, self._log = beside / "control", beside / "log"
        control.write_bytes(bytes(CONTROL.size))
        self._log.write_bytes(b"")
        with control.open("rb+") as file:
            self._memory = mmap.mmap(file.fileno(), CONTROL.size)
        self._shim = ctypes.CDLL(None)
        names = [str(folder), str(control), str(self._log) if logged else ""]
        os.environ |= dict(zip(INHERITED, names, strict=True))
        self._shim.disk_watch(*(name.encode() for name in names))

    def arm(self, at: int, error: int) -> None:
        """Count from one again; the ``at``-th call meets the fault, none at 0.

        This process only looks from now on: its own calls do not count.
        """
        CONTROL.pack_into(self._memory, 0, 0, at, error, os.getpid(), b"")

    @property
    def calls(self) -> int:
        """Since it was armed."""
        return CONTROL.unpack_from(self._memory)[0]

    @property
    def met(self) -> str:
        """The call that met the fault and its file; empty before."""
        return CONTROL.unpack_from(self._memory)[4].partition(b"\0")[0].decode()

    def note(self, text: str) -> None:
        """Write into the log, in its place between the calls."""
        self._shim.disk_note(text.encode())

    def records(self) -> Iterator[Record]:
        """All that was logged so far."""
        log = memoryview(self._log.read_bytes())
        while log:
            kind, inode, offset, first, second = RECORD.unpack_from(log)
            path, log = bytes(log[RECORD.size :][:first]), log[RECORD.size + first :]
            yield Record(chr(kind), inode, offset, path.decode(), bytes(log[:second]))
            log = log[second:]

    def forget(self) -> None:
        """Empty the log; nobody else may be at work."""
        os.truncate(self._log, 0)
