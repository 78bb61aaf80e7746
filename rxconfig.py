"""Reflex's configuration; everything that can be set comes from ``wan22_app.settings``."""

import multiprocessing
import os
import sys
from typing import Any

import reflex as rx

from wan22_app import bun
from wan22_app.adapters.locks import second_instance
from wan22_app.bootstrap import make_folders
from wan22_app.domain.errors import CannotStart
from wan22_app.settings import PROJECT, Settings
from wan22_app.web.same_origin import SameOriginPlugin
from wan22_app.web.theme import theme

LOOPBACK = "127.0.0.1"


def read_settings() -> Settings:
    """The settings; a mistake in them ends Reflex with its reason instead of a traceback."""
    try:
        settings = Settings()
        make_folders(settings)
        return settings
    except CannotStart as error:
        sys.exit(str(error))


settings = read_settings()

# Dev restarts the web on any change in a watched folder, a database journal or a video included.
os.environ.setdefault("REFLEX_HOT_RELOAD_OVERRIDE_PATHS", str(PROJECT / "wan22_app"))
os.environ.setdefault("REFLEX_CHECK_LATEST_VERSION", "0")


def refuse_a_second() -> None:
    """End before anything is built: a second app on one folder would rewrite the first's pages.

    Only in the process that a person started: Reflex's workers read this file too, and theirs is
    the lock that is looked for.
    """
    if "run" not in sys.argv[1:2] or multiprocessing.parent_process() is not None:
        return
    try:
        second_instance(settings.locks)
    except CannotStart as error:
        sys.exit(error.problem.sentence())


refuse_a_second()


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
