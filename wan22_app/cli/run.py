"""``wan22 run``, ``wan22 dispatch`` and ``wan22 migrate``: start things."""

import argparse
import os
import socket
import subprocess
import sys
from typing import Any

from wan22_app import dispatcher
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import second_instance
from wan22_app.bootstrap import make_folders
from wan22_app.domain.errors import CannotStart, Problem
from wan22_app.settings import PROJECT, Settings

LOOPBACK = "127.0.0.1"


def add_to(commands: Any) -> None:
    """Register the commands."""
    start = commands.add_parser("run", help="start the app: web, queue and engine")
    start.add_argument("--env", choices=("dev", "prod"), default="prod")
    start.set_defaults(command=run)
    dispatch_ = commands.add_parser("dispatch", help="run the queue as a service of its own")
    dispatch_.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    dispatch_.set_defaults(command=dispatch)
    migrate_ = commands.add_parser("migrate", help="bring the database up to date")
    migrate_.set_defaults(command=bring_up_to_date)


def run(args: argparse.Namespace) -> int:
    """Check what would fail later, then hand over to Reflex."""
    settings = Settings()
    make_folders(settings)
    second_instance(settings.locks)
    ports = {settings.frontend_port}
    if args.env == "dev":
        ports.add(settings.backend_port)
    for port in sorted(ports):
        require_free(port)
    migrate(settings.database)
    sys.stdout.write(f"wan22_app: http://localhost:{settings.frontend_port}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "reflex", "run", "--env", args.env]
    environment = {**os.environ, "REFLEX_CHECK_LATEST_VERSION": "0"}
    try:
        return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


def dispatch(args: argparse.Namespace) -> int:
    """Own the queue until told to stop."""
    settings = Settings()
    make_folders(settings)
    migrate(settings.database)
    return dispatcher.main(["--attached"] if args.attached else [])


def bring_up_to_date(_args: argparse.Namespace) -> int:
    """Create or upgrade the tables; a copy of existing data is kept."""
    settings = Settings()
    make_folders(settings)
    migrate(settings.database)
    sys.stdout.write("The database is up to date.\n")
    return 0


def require_free(port: int) -> None:
    """Raise CannotStart when somebody listens: Reflex would end with a traceback."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            # A port in TIME_WAIT from the last run is free for a server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise CannotStart(
                Problem(
                    code="port_in_use",
                    what=f"Port {port} is in use.",
                    cause="Another program, or another copy of this app, listens there.",
                    cure="End it, or choose other ports by WAN22_FRONTEND_PORT and "
                    "WAN22_BACKEND_PORT.",
                )
            ) from error
