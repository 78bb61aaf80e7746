"""``python -m wan22_app.demo MODELS``: put the project's demo checkpoints into a models folder.

They come with the project, in ``models/demo``; somebody whose models lie elsewhere gets a copy.
Standard library only: launch.py uses it.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "models" / "demo"
LAYOUTS = ("t2v", "i2v", "ti2v")
CARD = "README.md"
"""Holds the weights' hash, so equal cards mean equal checkpoints."""


class NotShipped(Exception):
    """This copy of the project lacks its demo checkpoints; the text says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Copy what is missing or old; prints one line for each checkpoint."""
    parser = argparse.ArgumentParser(prog="wan22_app.demo", description=__doc__)
    parser.add_argument("models", type=Path, help="folder that gets demo/{t2v,i2v,ti2v}")
    try:
        copied = provide(parser.parse_args(argv).models)
    except NotShipped as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for layout in LAYOUTS:
        sys.stdout.write(f"{layout}: {'copied' if layout in copied else 'there'}\n")
    return 0


def provide(models: Path) -> list[str]:
    """Bring each checkpoint there unless it is; returns the layouts that were copied."""
    copied = []
    for layout in LAYOUTS:
        source, target = SHIPPED / layout, models / "demo" / layout
        if not (source / CARD).is_file():
            raise NotShipped(
                f"The project's demo checkpoint is not in {source}. Bring it back with: "
                "git restore models/demo"
            )
        if _card(target) == _card(source):
            continue
        _replace(source, target)
        copied.append(layout)
    return copied


def _card(folder: Path) -> str:
    card = folder / CARD
    return card.read_text(encoding="utf-8") if card.is_file() else ""


def _replace(source: Path, target: Path) -> None:
    """Copy beside the place, then rename: a kill in the middle leaves no half checkpoint."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


if __name__ == "__main__":
    sys.exit(main())
