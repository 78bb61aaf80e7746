"""What tells weights of gigabytes apart without reading them."""

import hashlib
from functools import lru_cache
from pathlib import Path

SAMPLES = 16
SAMPLE_BYTES = 4096


def fingerprint(path: Path) -> str:
    """A hash of a file's size and of samples of its content, evenly spread to its very end.

    Another training moves all numbers, so that it is seen; a file in which a few bytes were changed
    by hand between two samples is not. Small files are read whole.
    """
    found = path.stat()
    return _sampled(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sampled(path: Path, size: int, _changed_ns: int) -> str:
    """Kept while the file looks the same from outside: the form is judged at every key."""
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= SAMPLES * SAMPLE_BYTES:
            digest.update(file.read())
        else:
            for number in range(SAMPLES):
                file.seek((size - SAMPLE_BYTES) * number // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()
