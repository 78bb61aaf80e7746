"""Commands, their options, and the way errors leave the program."""

import argparse
import sys
from collections.abc import Sequence

from wan22_app.cli import backup, checkup, enhance, generate, models, run, verify
from wan22_app.domain.errors import UserError

BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. A UserError becomes a sentence and code 2."""
    args = parser().parse_args(argv)
    try:
        return args.command(args)
    except UserError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem.sentence()}\n")
            if problem.evidence:
                sys.stderr.write(f"  {problem.evidence}\n")
        return BAD_INPUT


def parser() -> argparse.ArgumentParser:
    """All commands; each sets ``command`` to a function of the parsed arguments."""
    root = argparse.ArgumentParser(prog="wan22", description="Videos with Wan2.2 on your own GPU.")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    for module in (run, generate, verify, models, enhance, backup, checkup):
        module.add_to(commands)
    return root
