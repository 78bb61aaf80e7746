"""Looks at the installation for the doctor: video libraries, bun, disk, database."""

import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import av

from wan22_app import bun
from wan22_app.adapters.nvml_probe import read_trials
from wan22_app.domain.catalog import Compilation
from wan22_app.domain.errors import UserError
from wan22_app.domain.health import Check
from wan22_app.domain.trials import sentence

GB = 1000**3
LOW_DISK = 20 * GB


def video_libraries() -> Iterator[Check]:
    """The H.264 encoder that every output needs."""
    if "libx264" in av.codecs_available:
        yield Check(name="Video", level="ok", what=f"PyAV {version('av')} with H.264.")
    else:
        cure = "Reinstall PyAV from its wheel: run launch.py setup again."
        yield Check(name="Video", level="bad", what="PyAV lacks the H.264 encoder.", cure=cure)


def tried(trials: Path) -> Iterator[Check]:
    """What an engine has found of each way to compute attention, and of compiled regions."""
    found = read_trials(trials)
    for each in found.tried if found else ():
        level = "ok" if each.passed else "note"
        kind = "Compilation" if each.name in get_args(Compilation) else "Attention"
        yield Check(name=f"{kind} {each.name}", level=level, what=sentence(each))


def versions() -> Iterator[Check]:
    """What is installed, by the packages' own metadata, so that torch stays unimported."""
    names = ("torch", "diffusers", "transformers", "reflex")
    yield Check(name="Versions", level="ok", what=", ".join(f"{n} {version(n)}" for n in names))


def page_builder(project: Path) -> Iterator[Check]:
    """The JavaScript runtime that builds the pages."""
    found = bun.find(project)
    if found:
        yield Check(name="bun", level="ok", what=f"bun {found[1]}.")
        return
    floor = ".".join(map(str, bun.FLOOR))
    yield Check(
        name="bun",
        level="note",
        what=f"No bun {floor} or newer was found.",
        cure="Run launch.py setup again, or let Reflex install its own at the next start.",
    )


def settings(file: Path, origins: Mapping[str, str]) -> Iterator[Check]:
    """Where the settings in force come from; ``origins`` says it for each that is no default."""
    written = sorted(name for name, origin in origins.items() if origin == str(file))
    variables = sorted(origin for origin in origins.values() if origin != str(file))
    parts = []
    if variables:
        parts.append(f"The environment sets {', '.join(variables)}.")
    if written:
        parts.append(f"{file} sets {', '.join(written)}.")
    elif file.is_file():
        parts.append(f"{file} sets nothing that the environment does not.")
    else:
        parts.append(f"There is no {file}.")
    parts.append("All else is the default.")
    yield Check(name="Settings", level="ok", what=" ".join(parts))


def disk(folder: Path) -> Iterator[Check]:
    """Free space where the videos go."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        what = f"{folder} cannot be read: {error.strerror or error}."
        yield Check(name="Disk", level="bad", what=what, cure="Bring it back, or start again.")
        return
    what = f"{free / GB:.0f} GB free."
    if free < LOW_DISK:
        cure = "Make room: real weights take 30 to 130 GB, a video a few megabytes."
        yield Check(name="Disk", level="note", what=what, cure=cure)
    else:
        yield Check(name="Disk", level="ok", what=what)


def database(url: str) -> Iterator[Check]:
    """Whether the tables fit the code."""
    from wan22_app.adapters.db.migrate import check

    try:
        check(url)
    except UserError as error:
        problem = error.problem
        yield Check(name="Database", level="bad", what=problem.what, cure=problem.cure)
    else:
        yield Check(name="Database", level="ok", what="Migrated and readable.")
