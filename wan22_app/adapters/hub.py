"""A Hugging Face hub, asked through huggingface_hub: its address, token, cache and addresses.

The bytes are read here and not by ``hf_hub_download``: that one writes each file under a new
name, so a killed process would fetch ten gigabytes again. Only the downloader imports this.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import (
    HfApi,
    constants,
    get_session,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from wan22_app.adapters import hub_faults, weights
from wan22_app.domain.download import Listing, RemoteFile
from wan22_app.domain.errors import UserError

CHUNK = 1024 * 1024
PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "transformer_2", "vae")
SUFFIXES = (".safetensors", ".json", ".txt", ".model")
"""Weights, settings and tokenizer files. Never a pickle, never code."""


class HuggingFaceHub:
    """Hub over HTTP and the local hub cache. Address and cache default to huggingface_hub's own."""

    def __init__(
        self,
        endpoint: str | None = None,
        cache: Path | None = None,
        timeout_s: float = constants.HF_HUB_DOWNLOAD_TIMEOUT,
    ):
        self._endpoint = endpoint
        self._cache = cache
        self._timeout = timeout_s

    def listing(self, repo: str) -> Listing:
        with hub_faults.explained(repo):
            api = HfApi(endpoint=self._endpoint)
            info = api.model_info(repo, files_metadata=True, timeout=self._timeout)
            files = tuple(
                RemoteFile(
                    path=each.rfilename,
                    size=each.size or 0,
                    sha256=each.lfs.sha256 if each.lfs else "",
                    git_sha1="" if each.lfs else each.blob_id or "",
                )
                for each in info.siblings or ()
                if is_wanted(each.rfilename)
            )
        if weights.INDEX not in {file.path for file in files} or not info.sha:
            raise UserError(hub_faults.no_diffusers_folder(repo))
        return Listing(commit=info.sha, files=files)

    def cached(self, repo: str) -> Listing | None:
        index = try_to_load_from_cache(repo, weights.INDEX, cache_dir=self._cache)
        if not isinstance(index, str):
            return None
        folder = Path(index).parent
        entry = weights.recognised(folder)
        if entry is None or not entry.ready:
            return None
        return Listing(commit=folder.name, files=tuple(_files(folder)))

    def fetch(
        self, repo: str, commit: str, file: RemoteFile, part: Path, on_bytes: Callable[[int], None]
    ) -> None:
        with hub_faults.explained(repo), part.open("ab") as out:
            if out.tell() > file.size:
                # Not a beginning of this file: a longer one cannot be gone on with.
                on_bytes(-out.tell())
                out.truncate(0)
            if out.tell() == file.size:
                return
            for piece in self._pieces(repo, commit, file, out.tell()):
                if piece is None:
                    on_bytes(-out.tell())
                    out.truncate(0)
                    continue
                out.write(piece)
                on_bytes(len(piece))
                if out.tell() > file.size:
                    return  # not what was announced, and it might never end

    def _pieces(
        self, repo: str, commit: str, file: RemoteFile, start: int
    ) -> Iterator[bytes | None]:
        """The file from ``start`` on; None says that the bytes begin at zero after all."""
        kept = try_to_load_from_cache(repo, file.path, revision=commit, cache_dir=self._cache)
        if isinstance(kept, str):
            yield from _read(Path(kept), start)
            return
        url = hf_hub_url(repo, file.path, revision=commit, endpoint=self._endpoint)
        # Compressed pieces would make the offsets of a resumed file wrong.
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with get_session().stream("GET", url, headers=headers, timeout=self._timeout) as answer:
            hf_raise_for_status(answer)
            if start and answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                yield None
            # In pieces as they come: a larger buffer would be lost with a broken connection.
            yield from answer.iter_raw()


def is_wanted(path: str) -> bool:
    """Whether a file belongs into a diffusers folder. Its name is the hub's word: not trusted."""
    parts = PurePosixPath(path).parts
    if path == weights.INDEX or path == weights.SETTINGS:
        return True
    plain = len(parts) == 2 and "/".join(parts) == path and not set(path) & set('\\:*?"<>|')
    return plain and parts[0] in PARTS and PurePosixPath(path).suffix in SUFFIXES


def _files(folder: Path) -> Iterable[RemoteFile]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and is_wanted(name):
            # The cache names its blobs by their hashes; without links there is none to read.
            blob = path.resolve().name if path.is_symlink() else ""
            yield RemoteFile(
                path=name,
                size=path.stat().st_size,
                sha256=blob if len(blob) == 64 else "",
                git_sha1=blob if len(blob) == 40 else "",
            )


def _read(path: Path, start: int) -> Iterator[bytes]:
    with contextlib.closing(path.open("rb")) as source:
        source.seek(start)
        while piece := source.read(CHUNK):
            yield piece
