"""Reflex's configuration; everything that can be set comes from wan22_app import bun
from wan22_app.settings."""

import os
import sys
from typing import Any

import reflex as rx

from wan22_app import bun
from wan22_app.settings import PROJECT, Settings
from wan22_app.web.same_origin import SameOriginPlugin
from wan22_app.web.theme import theme

LOOPBACK = "127.0.0.1"

settings = Settings()
for folder in settings.folders():
    folder.mkdir(parents=True, exist_ok=True)

# Dev restarts the web on any change in a watched folder, a database journal or a video included.
os.environ.setdefault("REFLEX_HOT_RELOAD_OVERRIDE_PATHS", str(PROJECT / "wan22_app"))
os.environ.setdefault("REFLEX_CHECK_LATEST_VERSION", "0")


def production() -> bool:
    """Whether this is ``--env prod``, where one port serves everything.

    Reflex reads this file before it has told anybody its mode, hence the command line.
    """
    words = " ".join(sys.argv).replace("=", " ")
    return "--env prod" in words or os.environ.get("REFLEX_ENV_MODE") == "prod"


def bun_setting() -> dict[str, Any]:
    """bun on PATH, else the npm package that launch.py installs, else Reflex's own installer."""
    found = bun.find(PROJECT)
    return {"bun_path": found[0]} if found else {}


def origins() -> list[str]:
    """Pages that may open the websocket: loopback on our ports, and the names behind a proxy."""
    ports = {settings.frontend_port, settings.backend_port}
    local = [f"http://{host}:{port}" for host in ("localhost", LOOPBACK) for port in sorted(ports)]
    return local + [
        f"{scheme}://{host}" for host in settings.allowed_hosts for scheme in ("https", "http")
    ]


config = rx.Config(
    app_name="wan22_app",
    telemetry_enabled=False,
    frontend_port=settings.frontend_port,
    backend_port=settings.frontend_port if production() else settings.backend_port,
    backend_host=LOOPBACK,
    cors_allowed_origins=origins(),
    # Nothing has its only copy in a state, and states on disk would be pickles.
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    show_built_with_reflex=False,
    plugins=[rx.plugins.RadixThemesPlugin(theme=theme()), SameOriginPlugin()],
    disable_plugins=[rx.plugins.SitemapPlugin],
    **bun_setting(),
)
