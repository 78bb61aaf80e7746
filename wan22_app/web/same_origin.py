"""Makes the production bundle find its backend wherever it is served from.

Reflex bakes the backend's address into the bundle, which breaks behind a reverse proxy. Imported
by ``rxconfig.py``, so it must not import the app.
"""

import re
from pathlib import Path
from typing import Any

import reflex as rx

QUOTE = r"[`\"']"
WEBSOCKET = re.compile(rf"{QUOTE}wss?://[^/`\"']+(/[^`\"']*){QUOTE}")
HTTP = re.compile(rf"{QUOTE}https?://[^/`\"']+(/[^`\"']*){QUOTE}")


class SameOriginPlugin(rx.plugins.Plugin):
    """Replaces absolute backend addresses by the page's own origin, after the build."""

    def post_build(self, **context: Any) -> None:
        """Rewrite the one chunk that holds the addresses; fail loudly if Reflex moved them."""
        chunks = list(Path(context["static_dir"]).glob("assets/reflex-env-*.js"))
        if not chunks:
            raise RuntimeError("the bundle has no reflex-env chunk: its layout has changed")
        for chunk in chunks:
            script, count = WEBSOCKET.subn(
                r"(location.origin.replace(/^http/,'ws')+'\1')", chunk.read_text(encoding="utf-8")
            )
            if count != 1:
                raise RuntimeError("the reflex-env chunk has no single websocket address")
            chunk.write_text(HTTP.sub(r"(location.origin+'\1')", script), encoding="utf-8")
