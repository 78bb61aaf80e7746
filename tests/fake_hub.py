"""A small hub on loopback: what huggingface_hub asks of the real one, and faults on demand."""

import hashlib
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wan22_app.domain.catalog import TI2V_5B

COMMIT = "c0ffee" * 6 + "c0ff"
PIECE = 16 * 1024


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests whose path holds ``match``.

    ``pause_after`` sends so many bytes and then waits for ``FakeHub.gate``; ``cut_after`` ends the
    connection there; ``flip`` changes a byte of the answer; ``status`` answers with an error.
    """

    match: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    pause_after: int | None = None
    flip: bool = False


@dataclass
class FakeHub:
    """Serves folders as repositories. ``served`` counts the bytes of each file that went out."""

    repos: dict[str, Path]
    commit: str = COMMIT
    faults: list[Fault] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def folder(self, repo: str = TI2V_5B.repo) -> Path:
        return self.repos[repo]

    def files(self, repo: str = TI2V_5B.repo) -> dict[str, Path]:
        folder = self.folder(repo)
        return {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def fault_for(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.match in path:
                fault.times -= 1
                return fault
        return None


def stand_in(demo_models: Path, to: Path, key: str = TI2V_5B.key) -> Path:
    """A demo checkpoint that answers to a real entry's key, with files nobody should fetch."""
    shutil.copytree(demo_models / "demo" / "ti2v", to)
    settings = to / "demo_settings.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "key": key}))
    (to / "transformer" / "pytorch_model.bin").write_bytes(b"a pickle")
    (to / "assets").mkdir()
    (to / "assets" / "picture.json").write_text("{}")
    return to


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Listen on a free loopback port until the end of the block."""

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def entry(name: str, path: Path) -> dict[str, object]:
    """Size and hashes as the hub tells them; weights are LFS files there."""
    data = path.read_bytes()
    sha256, large = hashlib.sha256(data).hexdigest(), path.suffix in (".safetensors", ".bin")
    blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
    lfs = {"oid": sha256, "sha256": sha256, "size": len(data), "pointerSize": 134}
    return {
        "type": "file",
        "path": name,
        "rfilename": name,
        "size": len(data),
        "oid": blob,
        "blobId": blob,
        **({"lfs": lfs} if large else {}),
    }


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        fault = self.hub.fault_for(path)
        with suppress(OSError):  # the client went away: its right
            if fault is not None and fault.status:
                self._send(fault.status, b'{"error": "no"}', fault.headers, body=body)
            elif path.startswith("/api/models/"):
                self._api(path.removeprefix("/api/models/"), body=body)
            else:
                self._resolve(path, fault, body=body)

    def _api(self, rest: str, *, body: bool) -> None:
        repo = "/".join(rest.split("/")[:2])
        if repo not in self.hub.repos:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body=body)
            return
        files = [entry(name, path) for name, path in self.hub.files(repo).items()]
        answer = {"id": repo, "modelId": repo, "sha": self.hub.commit, "siblings": files}
        content = json.dumps(files if "/tree/" in rest else answer).encode()
        self._send(200, content, {"Content-Type": "application/json"}, body=body)

    def _resolve(self, path: str, fault: Fault | None, *, body: bool) -> None:
        repo, _, rest = path[1:].partition("/resolve/")
        commit, _, name = rest.partition("/")
        if repo not in self.hub.repos or name not in self.hub.files(repo):
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
            return
        if commit not in (self.hub.commit, "main"):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body=body)
            return
        facts = entry(name, self.hub.files(repo)[name])
        content = self.hub.files(repo)[name].read_bytes()
        if fault is not None and fault.flip:
            content = bytes([content[0] ^ 1]) + content[1:]
        etag = facts["lfs"]["sha256"] if "lfs" in facts else facts["oid"]  # type: ignore[index]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.commit, "Accept-Ranges": "bytes"}
        start, status = 0, 200
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            start, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers, body=body, fault=fault, name=name)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, body: bool,
        fault: Fault | None = None, name: str = "",
    ) -> None:  # fmt: skip
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        sent, limits = 0, fault or Fault("")
        stops = [stop for stop in (limits.cut_after, limits.pause_after) if stop is not None]
        while sent < len(content):
            end = min([sent + PIECE, *(stop for stop in stops if stop > sent)])
            self.wfile.write(content[sent:end])
            self.wfile.flush()
            self.hub.served[name] += min(end, len(content)) - sent
            sent = end
            if sent == limits.cut_after:
                self.close_connection = True
                return
            if sent == limits.pause_after:
                self.hub.gate.wait()
