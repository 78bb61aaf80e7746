"""``wan22 doctor``: what is there, and what to do about what is not."""

import argparse
import json
import sys
from typing import Any

from wan22_app.bootstrap import services

MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


def add_to(commands: Any) -> None:
    """Register the command."""
    doctor_ = commands.add_parser("doctor", help="look at card, memory, disk, libraries, weights")
    doctor_.add_argument("--json", action="store_true", help="one JSON object a line")
    doctor_.set_defaults(command=doctor)


def doctor(args: argparse.Namespace) -> int:
    """Print the report; exit code 1 when something will not work."""
    checks = services().doctor.report()
    for check in checks:
        if args.json:
            sys.stdout.write(json.dumps(check.model_dump()) + "\n")
            continue
        sys.stdout.write(f"{MARKS[check.level]}  {check.name}: {check.what}\n")
        if check.cure:
            sys.stdout.write(f"      {check.cure}\n")
    return int(any(check.level == "bad" for check in checks))
