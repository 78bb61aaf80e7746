"""What runs have computed so far, one file a job in a folder of the data folder."""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

from wan22_app.adapters import durable
from wan22_app.adapters.safetensors_header import BadFile, read_header
from wan22_app.domain.catalog import GB
from wan22_app.ports import Preview

SUFFIX = ".safetensors"
PREVIEW = ".webp"
FINISHED = "latents"
"""The one tensor of a file whose run needs no solver any more."""
KEEP_SECONDS = 7 * 24 * 3600.0
KEEP_BYTES = 5 * GB


class FolderLatents:
    """LatentFiles in a folder on a local disk."""

    def __init__(
        self, folder: Path, keep_seconds: float = KEEP_SECONDS, keep_bytes: int = KEEP_BYTES
    ):
        self._folder = folder
        self._seconds, self._bytes = keep_seconds, keep_bytes

    def path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{SUFFIX}"

    def forget(self, job_id: str) -> None:
        for suffix in (SUFFIX, ".part", PREVIEW):
            self.path(job_id).with_suffix(suffix).unlink(missing_ok=True)

    def finished(self, job_id: str) -> bool:
        try:
            return set(read_header(self.path(job_id))) == {FINISHED}
        except BadFile:
            return False

    def keep_preview(self, job_id: str, part: str) -> None:
        # The staging folder may be on another file system, where no rename reaches.
        durable.write(self.path(job_id).with_suffix(PREVIEW), Path(part).read_bytes())

    def preview(self, job_id: str) -> Preview | None:
        path = self.path(job_id).with_suffix(PREVIEW)
        try:
            self.path(job_id).stat()
            return Preview(path, path.stat().st_mtime_ns)
        except OSError:
            return None

    def prune(self, spared: Collection[str]) -> Sequence[str]:
        kept, removed = 0, list[str]()
        files = [(path, path.stat()) for path in self._folder.iterdir() if path.is_file()]
        for path, facts in sorted(files, key=lambda file: file[1].st_mtime, reverse=True):
            job_id = path.name.split(".")[0]
            old = time.time() - facts.st_mtime > self._seconds
            too_much = kept + facts.st_size > self._bytes
            half = path.suffix not in (SUFFIX, PREVIEW) or not self.path(job_id).exists()
            if job_id in spared or not (old or too_much or half):
                kept += facts.st_size
                continue
            path.unlink(missing_ok=True)
            removed.append(path.name)
        return removed
