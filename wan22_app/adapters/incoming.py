"""Weights that are not complete yet: ``models/.downloads/<name>``, which the library skips.

A file carries its own name only once it was found sound, and the folder moves to its place only
once all of it was: a half-fetched model never looks ready.
"""

import contextlib
import hashlib
import shutil
from pathlib import Path, PurePosixPath

from wan22_app.adapters import weights
from wan22_app.adapters.durable import sync_file
from wan22_app.adapters.files import RESERVE_BYTES
from wan22_app.domain.download import Listing, RemoteFile
from wan22_app.domain.errors import Problem, UserError

STAGING = ".downloads"
LISTING = ".listing.json"
PART = ".part"
BLOCK = 4 * 1024 * 1024


class IncomingFolders:
    """IncomingWeights under the models folder."""

    def __init__(self, models: Path, reserve_bytes: int = RESERVE_BYTES):
        self._models = models
        self._reserve = reserve_bytes

    def remembered(self, repo: str) -> Listing | None:
        # A listing cut short by a power cut is asked for again.
        with contextlib.suppress(OSError, ValueError):
            return Listing.model_validate_json((self._folder(repo) / LISTING).read_bytes())
        return None

    def remember(self, repo: str, listing: Listing) -> None:
        folder = self._folder(repo)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / (LISTING + PART)
        part.write_text(listing.model_dump_json(), encoding="utf-8")
        part.replace(folder / LISTING)

    def forget(self, repo: str) -> None:
        (self._folder(repo) / LISTING).unlink(missing_ok=True)

    def present(self, repo: str, file: RemoteFile) -> int:
        if self.is_done(repo, file):
            return file.size
        part = self._part(repo, file)
        return part.stat().st_size if part.is_file() else 0

    def is_done(self, repo: str, file: RemoteFile) -> bool:
        path = self._path(repo, file)
        # A file of another commit may lie under this name; its size or its mark tells.
        return path.is_file() and path.stat().st_size == file.size and self._is_same(repo, file)

    def part(self, repo: str, file: RemoteFile) -> Path:
        part = self._part(repo, file)
        part.parent.mkdir(parents=True, exist_ok=True)
        return part

    def accept(self, repo: str, file: RemoteFile) -> bool:
        part = self._part(repo, file)
        if not _is_sound(part, file):
            part.unlink(missing_ok=True)
            return False
        # Before the rename: a power cut must not leave an empty file that looks done.
        sync_file(part)
        part.replace(self._path(repo, file))
        self._set_mark(repo, file)
        return True

    def require_room(self, bytes_missing: int) -> None:
        free = shutil.disk_usage(self._models).free
        if bytes_missing + self._reserve > free:
            raise UserError(_no_room(self._models, bytes_missing, free, self._reserve))

    def publish(self, repo: str, key: str) -> None:
        folder, target = self._folder(repo), self._models / _name(repo)
        entry = weights.recognised(folder)
        if entry is None or not entry.ready or entry.spec.key != key:
            raise UserError(_no_model(repo, entry.problem if entry else ""))
        self._tidy(repo)
        if target.exists():
            # A damaged copy was there: it goes when the sound one is in its place.
            shutil.rmtree(self._aside(repo), ignore_errors=True)
            target.replace(self._aside(repo))
        folder.replace(target)
        self._tidy_after(repo)

    def is_published(self, repo: str, key: str) -> bool:
        entry = weights.recognised(self._models / _name(repo))
        if entry is None or not entry.ready or entry.spec.key != key:
            return False
        self._tidy_after(repo)
        return True

    def _tidy(self, repo: str) -> None:
        """Leave only what the repository has: parts, marks and files of older commits go.

        The listing stays to the last: whatever ends us before, the next start needs no hub.
        """
        folder, listing = self._folder(repo), self.remembered(repo)
        wanted = {LISTING, *(file.path for file in listing.files)} if listing else set[str]()
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()

    def _tidy_after(self, repo: str) -> None:
        (self._models / _name(repo) / LISTING).unlink(missing_ok=True)
        shutil.rmtree(self._aside(repo), ignore_errors=True)

    def _aside(self, repo: str) -> Path:
        return self._models / STAGING / f"{_name(repo)}.old"

    def _folder(self, repo: str) -> Path:
        return self._models / STAGING / _name(repo)

    def _path(self, repo: str, file: RemoteFile) -> Path:
        return self._folder(repo).joinpath(*PurePosixPath(file.path).parts)

    def _part(self, repo: str, file: RemoteFile) -> Path:
        """Named by content: the beginning of another version must not be gone on with."""
        path = self._path(repo, file)
        return path.with_name(f"{path.name}.{(file.sha256 or file.git_sha1)[:12]}{PART}")

    def _mark(self, repo: str, file: RemoteFile) -> Path:
        path = self._path(repo, file)
        return path.with_name(f".{path.name}.mark")

    def _is_same(self, repo: str, file: RemoteFile) -> bool:
        with contextlib.suppress(FileNotFoundError):
            marked = self._mark(repo, file).read_text("ascii")
            if marked or not (file.sha256 or file.git_sha1):
                return marked == (file.sha256 or file.git_sha1)
        # Ended between the file and its mark, or between tidying and moving, or a power cut has
        # emptied the mark: look at the bytes.
        if not _is_sound(self._path(repo, file), file):
            return False
        self._set_mark(repo, file)
        return True

    def _set_mark(self, repo: str, file: RemoteFile) -> None:
        self._mark(repo, file).write_text(file.sha256 or file.git_sha1, encoding="ascii")


def _name(repo: str) -> str:
    return repo.rpartition("/")[2]


def _is_sound(part: Path, file: RemoteFile) -> bool:
    if not part.is_file() or part.stat().st_size != file.size:
        return False
    if file.sha256:
        return _digest(part, hashlib.sha256()) == file.sha256
    if file.git_sha1:
        # A git blob's name hashes its length, too.
        header = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        return _digest(part, header) == file.git_sha1
    return True


def _digest(path: Path, digest: "hashlib._Hash") -> str:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _no_room(models: Path, missing: int, free: int, reserve: int) -> Problem:
    return Problem(
        code="weights_no_room",
        what=f"The disk of {models} is too small: {missing / 1e9:.1f} GB are to come, "
        f"{free / 1e9:.1f} GB are free.",
        cause=f"{reserve / 1e9:.1f} GB are kept in reserve.",
        cure="Make room and try again, or choose another disk by WAN22_MODELS.",
    )


def _no_model(repo: str, fault: str) -> Problem:
    return Problem(
        code="weights_strange",
        what=f"What came from {repo} is not the model that was asked for.",
        cause=fault or "Its files are of another kind or another size.",
        cure="Check HF_ENDPOINT, then try again.",
    )
