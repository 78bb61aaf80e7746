"""Addresses of our own routes, as a page must write them."""

from urllib.parse import quote

from reflex.utils.exec import is_prod_mode
from reflex_base.config import get_config

MEDIA = "/api/media/{output_id}/{part}"
PREVIEW = "/api/preview/{job_id}"
IMAGE = "/api/image/{sha256}"
HEALTH = "/healthz"
OUTPUTS_ROUTE = "/outputs"


def backend_url(path: str) -> str:
    """Same-origin path in production; in dev the backend has a port of its own."""
    config = get_config()
    prefixed = config.prepend_backend_path(path)
    return prefixed if is_prod_mode() else config.api_url.rstrip("/") + prefixed


def media_url(output_id: str, part: str, *, download: bool = False) -> str:
    """Where a browser finds a video or a poster."""
    path = MEDIA.format(output_id=quote(output_id), part=part)
    return backend_url(path + ("?download=1" if download else ""))


def preview_url(job_id: str, version: int) -> str:
    """Where a browser finds what a running job is going to show."""
    return backend_url(PREVIEW.format(job_id=quote(job_id)) + f"?v={version}")


def image_url(sha256: str) -> str:
    """Where a browser finds a start image."""
    return backend_url(IMAGE.format(sha256=quote(sha256)))
