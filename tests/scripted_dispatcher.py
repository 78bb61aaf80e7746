"""The real dispatcher with an engine without torch, for tests that kill both by the hundred."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from wan22_app.bootstrap import build_dispatcher
from wan22_app.dispatcher import own
from wan22_app.settings import Settings


def engine(slot: str, lock: Path) -> Sequence[str]:
    """Command line of the scripted engine."""
    return (sys.executable, "-m", "tests.scripted_engine", slot, str(lock))


def main(argv: Sequence[str] | None = None) -> int:
    """Own the queue of the places that the environment names; there is nothing to choose."""
    del argv
    return own(Settings(), partial(build_dispatcher, command=engine), attached=False)


if __name__ == "__main__":
    sys.exit(main())
