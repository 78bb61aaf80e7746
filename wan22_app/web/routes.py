"""Our own HTTP routes: videos, posters, start images, health. Owner-checked, with ranges."""

import asyncio
import io
import re
from pathlib import Path
from typing import Literal

from PIL import Image
from reflex_base.config import get_config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from wan22_app.bootstrap import services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import ImageRef
from wan22_app.web.filenames import attachment, download_name
from wan22_app.web.security import MARK, Policy, policy
from wan22_app.web.urls import HEALTH, IMAGE, MEDIA, PREVIEW

ID = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
TYPES: dict[str, str] = {"video": "video/mp4", "poster": "image/webp"}
PRIVATE = {"Cache-Control": "private, max-age=3600", "Vary": "Cookie"}
Part = Literal["video", "poster"]


@policy(Policy.PERSON)
async def media(request: Request) -> Response:
    """A video or its poster. Absent, malformed and somebody else's look the same."""
    output_id, part = request.path_params["output_id"], request.path_params["part"]
    if not ID.fullmatch(output_id) or part not in TYPES:
        return _nothing()
    gallery = services().gallery
    try:
        path = await asyncio.to_thread(gallery.path, LOCAL_PERSON, output_id, part)
        saved_as = ""
        if "download" in request.query_params:
            output = await asyncio.to_thread(gallery.get, LOCAL_PERSON, output_id)
            saved_as = attachment(download_name(output), output_id)
        return _file(request, path, TYPES[part], saved_as)
    except (UserError, FileNotFoundError):  # the bin may be emptied in this very moment
        return _nothing()


@policy(Policy.PERSON)
async def preview(request: Request) -> Response:
    """What a running job or a draft is going to show; ``still`` is its first frame alone.

    Without one there is no content, and that is no error: a run may end while its page asks.
    """
    job_id, still = request.path_params["job_id"], "still" in request.query_params
    webp = await asyncio.to_thread(_preview, job_id, still=still)
    if webp is None:
        return Response(status_code=204)
    return Response(webp, media_type=TYPES["poster"], headers=PRIVATE)


@policy(Policy.PERSON)
async def image(request: Request) -> Response:
    """A start image that passed the gate; who can name its hash has the picture."""
    digest = request.path_params["sha256"]
    if not SHA256.fullmatch(digest):
        return _nothing()
    ref = ImageRef(sha256=digest, width=1, height=1)
    try:
        path = await asyncio.to_thread(services().images.path, ref)
    except UserError:
        return _nothing()
    return _file(request, path, "image/png")


@policy(Policy.PERSON)
async def health(_request: Request) -> Response:
    """200 once the database is migrated."""
    try:
        await asyncio.to_thread(services().check_database)
    except UserError as error:
        return JSONResponse({"ok": False, "why": error.problem.code}, 503)
    return JSONResponse({"ok": True})


def _file(request: Request, path: Path, kind: str, disposition: str = "") -> Response:
    """With ranges and HEAD from Starlette; 304 is ours, which it lacks."""
    response = FileResponse(
        path,
        stat_result=path.stat(),  # sets the ETag now, not while sending
        media_type=kind,
        headers={
            **PRIVATE,
            **({"Content-Disposition": disposition} if disposition else {}),
        },
    )
    etag = response.headers["etag"]
    if "range" not in request.headers and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return response


def _preview(job_id: str, *, still: bool) -> bytes | None:
    """Read at once: the file is small, and may be gone when a response begins to send it."""
    app = services()
    try:
        job = app.queue.get(LOCAL_PERSON, job_id) if ID.fullmatch(job_id) else None
        found = job and (app.queue.preview(job) or app.drafts.preview(job))
        if found is None:
            return None
        return _first_frame(found.path) if still else found.path.read_bytes()
    except (UserError, FileNotFoundError):
        return None


def _first_frame(path: Path) -> bytes:
    """A picture that does not move, for whoever asked their system for that."""
    webp = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(webp, "WEBP")
    return webp.getvalue()


def _nothing() -> Response:
    return Response("not found", 404)


ENDPOINTS = ((MEDIA, media), (PREVIEW, preview), (IMAGE, image), (HEALTH, health))


def routes() -> Starlette:
    """The application that Reflex is mounted behind. Every endpoint must carry a policy."""
    unmarked = [path for path, endpoint in ENDPOINTS if not hasattr(endpoint, MARK)]
    if unmarked:
        raise RuntimeError(f"routes without a policy: {unmarked}")
    prefix = get_config().backend_path.rstrip("/")
    return Starlette(
        routes=[Route(prefix + path, endpoint, methods=["GET"]) for path, endpoint in ENDPOINTS]
    )
