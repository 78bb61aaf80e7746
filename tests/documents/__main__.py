"""``python -m tests.documents``: write the pages that tests compare anew."""

import sys
import tempfile
from pathlib import Path

from tests.documents.pages import PAGES


def main() -> int:
    """Write every page; prints the ones that changed."""
    for path, build in PAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            text = build(Path(folder))
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            sys.stdout.write(f"{path.name} has changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
