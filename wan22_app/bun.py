"""Find the JavaScript runtime that builds the pages. Standard library only: launch.py uses it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

FLOOR = (1, 4, 4)
"""The oldest version that Reflex accepts."""
FOLDER = ".bun"
PACKAGE = "bun@1.4.5"
PLACES = ("node_modules/bun/bin/bun*", "node_modules/@oven/*/bin/bun*")
"""npm's install script moves the program from the second place to the first, where it may run."""


def find(project: Path) -> tuple[Path, str] | None:
    """The first recent enough bun, on PATH or in the project, with its version."""
    for program in _candidates(project):
        version = _version(program)
        if version is not None and tuple(map(int, version.split("."))) >= FLOOR:
            return program, version
    return None


def _candidates(project: Path) -> Iterator[Path]:
    on_path = shutil.which("bun")
    if on_path:
        yield Path(on_path)
    for place in PLACES:
        yield from sorted(path for path in (project / FOLDER).glob(place) if path.is_file())


def _version(program: Path) -> str | None:
    """What it says of itself, None when it does not run here."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"\d+\.\d+\.\d+", done.stdout)
    return found.group() if found else None
