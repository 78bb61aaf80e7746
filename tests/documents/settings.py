"""docs/settings.md: every field of the settings with its default."""

import json
from pathlib import Path
from typing import Any

from tests.documents.tables import table
from wan22_app.settings import PROJECT, Settings

HEAD = """# Settings

Built by `python -m tests.documents` from `wan22_app/settings.py`; a test compares it.

A setting is taken from the environment, else from `config.json` in the project's folder, else it
has its default. `WAN22_CONFIG` names another file. A name that does not exist, or a value that
cannot be meant, stops every start with a sentence that says where it stands. `wan22 doctor` says
where the settings in force come from.

Folders may begin with `~`. Relative ones are relative to the folder of `config.json`, also those in
the environment: the web, the dispatcher and the engine start in different places and must agree.
An empty variable counts as none. Changes hold from the next start.

"""
EXAMPLE = {
    "outputs": "~/Videos/wan22",
    "models": "/srv/models/wan22",
    "max_waiting": 20,
    "refresh_seconds": 2,
}


def settings_page(_folder: Path) -> str:
    """The table and an example, which is valid."""
    Settings.model_validate(EXAMPLE)
    fields = Settings.model_fields.items()
    rows = ([f"`{n}`", f"`WAN22_{n.upper()}`", _shown(f.default), f.description or ""]
            for n, f in fields)  # fmt: skip
    heads = ("in config.json", "in the environment", "default", "what it is")
    example = json.dumps(EXAMPLE, indent=2)
    return f"{HEAD}{table(heads, rows)}\nFor example:\n\n```json\n{example}\n```\n"


def _shown(default: Any) -> str:
    if isinstance(default, Path):
        return f"`{default.relative_to(PROJECT).as_posix()}`"
    return f"`{default:g}`" if isinstance(default, int | float) else "none"
