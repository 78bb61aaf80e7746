"""ASGI guards around everything: hosts, origins, uploads, headers."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_UPLOAD_BYTES = 32_000_000
WRONG_PLACE = 4403
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'; object-src 'none'; base-uri 'none'"),
    (b"cross-origin-resource-policy", b"same-site"),
)


def header(scope: Scope, name: bytes) -> str:
    """A request header as text, empty when absent."""
    return dict(scope["headers"]).get(name, b"").decode("latin1")


class PlaceGuard:
    """Refuses foreign hosts (DNS rebinding) and foreign origins (a page elsewhere using ours)."""

    def __init__(self, app: App, hosts: frozenset[str], *, one_port: bool):
        self._app = app
        self._hosts = LOOPBACK | hosts
        self._one_port = one_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._welcome(scope):
            await _refuse(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _welcome(self, scope: Scope) -> bool:
        host, origin = header(scope, b"host"), header(scope, b"origin")
        if _name(f"//{host}") not in self._hosts:
            return False
        if origin:
            return self._same_place(origin, host)
        # Browsers always send it with a websocket or a form; only tools leave it out.
        return scope["type"] == "http" and scope["method"] in SAFE_METHODS

    def _same_place(self, origin: str, host: str) -> bool:
        if _name(origin) not in self._hosts:
            return False
        if self._one_port:
            return urlsplit(origin).netloc == host
        return _name(origin) == _name(f"//{host}")


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class UploadGuard:
    """Reflex's upload route: nothing to fetch there, and no body larger than an image."""

    def __init__(self, app: App, path: str):
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._path):
            await self._app(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return
        length = header(scope, b"content-length")
        if length.isdigit() and int(length) > MAX_UPLOAD_BYTES:
            await PlainTextResponse("too large", 413)(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    """Cut a body that is larger than it said, or said nothing."""
    seen = 0

    async def next_part() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_UPLOAD_BYTES:
            return {"type": "http.disconnect"}
        return message

    return next_part


class HeaderGuard:
    """Adds the security headers to every answer."""

    def __init__(self, app: App):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", ())}
                added = [pair for pair in HEADERS if pair[0] not in present]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": WRONG_PLACE})
        return
    await PlainTextResponse("This address is not served here.", 403)(scope, receive, send)
