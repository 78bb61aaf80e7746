"""The downloader process: ``python -m wan22_app.downloader ID``, started by the dispatcher.

It alone asks the network, with huggingface_hub's own settings (HF_ENDPOINT, HF_TOKEN, HF_HOME).
Killing it at any moment is safe.
"""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Sequence

from filelock import Timeout

from wan22_app.adapters.locks import DOWNLOADER, lock
from wan22_app.bootstrap import build_downloading, make_folders
from wan22_app.settings import Settings

LOCK_PATIENCE_S = 15.0
"""The downloader of a dead dispatcher ends with its pipe, but may be in the middle of a hash."""
LOCK_TAKEN = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch for one row; the row says how it went, the exit code only that there is a verdict."""
    parser = argparse.ArgumentParser(prog="wan22_app.downloader")
    parser.add_argument("download", help="id of a running download")
    args = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    # It logs each address it asks, and an address behind a redirect is signed: a secret.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    threading.Thread(target=_end_with_the_dispatcher, name="pipe", daemon=True).start()
    settings = Settings()
    make_folders(settings)
    held = lock(settings.locks, DOWNLOADER)
    try:
        held.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        return LOCK_TAKEN
    with held:
        build_downloading(settings).run(args.download)
    return 0


def _end_with_the_dispatcher() -> None:
    """Nobody may fetch whom nobody can stop: the pipe ends when the dispatcher does."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
