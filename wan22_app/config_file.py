"""``config.json``: found, read, and explained when something in it is wrong."""

import difflib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import JsonConfigSettingsSource

from wan22_app.domain.errors import CannotStart, Problem

PROJECT = Path(__file__).resolve().parents[1]
"""The checkout that holds the package, ``alembic/`` and ``rxconfig.py``."""
PREFIX = "WAN22_"
WHICH = "WAN22_CONFIG"
"""Names another file than the project's; for a second app on the same checkout."""
LIST = "docs/settings.md lists every setting."
SHOWN = 60


def config_file() -> Path:
    """The file in force, which need not exist unless it was named. Raises CannotStart."""
    named = os.environ.get(WHICH, "")
    if not named:
        return PROJECT / "config.json"
    path = PROJECT / Path(named).expanduser()
    if not path.is_file():
        raise CannotStart(
            Problem(
                code="config_missing",
                what=f"There is no file {path}.",
                cause=f"{WHICH} names it.",
                cure=f"Write it, correct {WHICH}, or unset that to use {PROJECT / 'config.json'}.",
            )
        )
    return path


class ConfigFile(JsonConfigSettingsSource):
    """The settings in the file; raises CannotStart when it is no table of settings."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        path = Path(file_path)
        try:
            # Some editors put a mark before the first character.
            content = json.loads(path.read_text(encoding="utf-8-sig").strip() or "{}")
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise CannotStart(_unreadable(path, f"It is no valid JSON at {place}.")) from error
        except UnicodeDecodeError as error:
            raise CannotStart(_unreadable(path, "It is not written in UTF-8.")) from error
        except OSError as error:
            raise CannotStart(_unreadable(path, f"{error.strerror or error}.")) from error
        if not isinstance(content, dict):
            raise CannotStart(_unreadable(path, "It holds no names with values."))
        return content


def _unreadable(path: Path, cause: str) -> Problem:
    return Problem(
        code="config_unreadable",
        what=f"The settings in {path} cannot be read.",
        cause=cause,
        cure='Correct it; it looks like {"outputs": "videos", "max_waiting": 20}. ' + LIST,
        evidence=str(path),
    )


def environment() -> Mapping[str, str]:
    """The app's variables that say something, by the setting's name."""
    return {
        name.removeprefix(PREFIX).lower(): name
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX) and value
    }


def refused(error: ValidationError, known: Collection[str]) -> CannotStart:
    """What pydantic found, in words that name the place, the setting and the cure."""
    return CannotStart(*_problems(error, known))


def _problems(error: ValidationError, known: Collection[str]) -> Iterator[Problem]:
    file, variables = config_file(), environment()
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        if detail["type"] == "extra_forbidden":
            yield _unknown(name, file, known)
        elif name in variables:
            yield _bad(variables[name], "The environment sets it.", detail)
        else:
            yield _bad(f"“{name}”", f"{file} sets it.", detail)


def _unknown(name: str, file: Path, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name.lower().removeprefix("wan22_"), known, n=1)
    cure = f"Did you mean “{near[0]}”? " if near else "Remove it. "
    return Problem(
        code="config_unknown",
        what=f"There is no setting “{name[:SHOWN]}”.",
        cause=f"{file} sets it.",
        cure=cure + LIST,
        evidence=str(file),
    )


def _bad(what: str, cause: str, detail: ErrorDetails) -> Problem:
    wanted = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = json.dumps(detail["input"], ensure_ascii=False, default=str)[:SHOWN]
    return Problem(
        code="config_invalid",
        what=f"The setting {what} cannot be {shown}.",
        cause=cause,
        cure=f"It {wanted}. {LIST}",
    )
