"""``wan22 backup`` and ``wan22 restore``: all but the weights into a folder, and back."""

import argparse
import json
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from wan22_app.adapters.locks import single_backup, standstill
from wan22_app.bootstrap import build_backup, build_restore, make_folders
from wan22_app.domain.backup import Manifest
from wan22_app.settings import Settings

INTERRUPTED = 130
MB = 1000**2
SHOWN = 10


def add_to(commands: Any) -> None:
    """Register the commands."""
    backup_ = commands.add_parser("backup", help="copy jobs, videos and settings; the app may run")
    backup_.add_argument("target", type=Path, help="a folder that does not exist yet")
    backup_.add_argument("--loras", action="store_true", help="the LoRA files, too")
    backup_.add_argument("--json", action="store_true", help="one JSON object at the end")
    backup_.set_defaults(command=backup)
    restore_ = commands.add_parser("restore", help="bring a backup back; the app must not run")
    restore_.add_argument("source", type=Path, help="a folder that wan22 backup has made")
    restore_.add_argument(
        "--replace", action="store_true", help="move what is here aside; it is kept"
    )
    restore_.add_argument("--json", action="store_true", help="one JSON object at the end")
    restore_.set_defaults(command=restore)


def backup(args: argparse.Namespace) -> int:
    """Write it; what was missing is told and no failure."""
    settings = Settings()
    make_folders(settings)
    try:
        with single_backup(settings.locks):
            manifest = build_backup(settings).make(args.target, _tell, loras=args.loras)
    except KeyboardInterrupt:
        return INTERRUPTED
    _warn("had no file any more", manifest.missing)
    _warn("are damaged on the disk; the backup has them as they are", manifest.damaged)
    target = args.target.absolute()
    if args.json:
        _say(json.dumps({"target": str(target), **_facts(manifest)}))
    else:
        amount = f"{len(manifest.files)} files, {manifest.bytes / MB:.1f} MB"
        _say(f"The backup is in {target}: {amount}.")
    return 0


def restore(args: argparse.Namespace) -> int:
    """Bring it back; says where the things are that were here before."""
    settings = Settings()
    make_folders(settings)
    try:
        with standstill(settings.locks):
            restored = build_restore(settings).run(args.source, _tell, replace=args.replace)
    except KeyboardInterrupt:
        return INTERRUPTED
    manifest = restored.manifest
    _warn("had no file when the backup was made", manifest.missing)
    aside = [str(folder) for folder in restored.aside]
    if args.json:
        _say(
            json.dumps({"source": str(args.source.absolute()), "aside": aside, **_facts(manifest)})
        )
    else:
        _say(f"The backup is back: {len(manifest.files)} files.")
        for folder in aside:
            _say(f"What was here before is in {folder}.")
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _warn(what: str, names: Sequence[str]) -> None:
    if not names:
        return
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    _tell(f"{len(names)} files {what}: {', '.join(names[:SHOWN])}{more}.")


def _facts(manifest: Manifest) -> dict[str, object]:
    facts = manifest.model_dump(mode="json", exclude={"files"})
    return {**facts, "files": len(manifest.files), "bytes": manifest.bytes}


def _say(line: str) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        # A pipe on Windows would refuse the name of a folder that its code page cannot spell.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write(line + "\n")
