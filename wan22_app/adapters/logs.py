"""Files that children write their words to."""

from pathlib import Path
from typing import BinaryIO

LIMIT = 2_000_000


def appended(log: Path, limit: int = LIMIT) -> BinaryIO:
    """Open a log to append to. One that is longer than ``limit`` bytes begins anew, and only the
    last one of those is kept: a log must not fill the disk.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > limit:
        log.replace(log.with_suffix(".old.log"))
    return log.open("ab")
