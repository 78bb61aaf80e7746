"""``wan22 run``, ``wan22 dispatch`` and ``wan22 migrate``: start things."""

import argparse
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from wan22_app import dispatcher
from wan22_app.adapters.locks import DISPATCHER, ask_to_drain, end_drain, lock, second_instance
from wan22_app.bootstrap import make_folders, prepare
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
    dispatch_.add_argument(
        "--drain",
        action="store_true",
        help="finish the running job, start no other, and end the queue: before an upgrade",
    )
    dispatch_.set_defaults(command=dispatch)
    migrate_ = commands.add_parser("migrate", help="bring the database up to date")
    migrate_.set_defaults(command=bring_up_to_date)


def run(args: argparse.Namespace) -> int:
    """Check what would fail later, then hand over to Reflex."""
    settings = Settings()
    make_folders(settings)
    second_instance(settings.locks)
    end_drain(settings.locks)
    ports = {settings.frontend_port}
    if args.env == "dev":
        ports.add(settings.backend_port)
    for port in sorted(ports):
        require_free(port)
    prepare(settings)
    sys.stdout.write(f"wan22_app: http://localhost:{settings.frontend_port}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "reflex", "run", "--env", args.env]
    environment = {**os.environ, "REFLEX_CHECK_LATEST_VERSION": "0"}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment)
    # Without this a plain kill would end us and leave the app running, ownerless.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the app got it too, and is ending


def dispatch(args: argparse.Namespace) -> int:
    """Own the queue until told to stop, or make whoever owns it end after the running job."""
    settings = Settings()
    make_folders(settings)
    if args.drain:
        return drain(settings)
    end_drain(settings.locks)
    prepare(settings)
    return dispatcher.main(["--attached"] if args.attached else [])


def drain(settings: Settings) -> int:
    """Ask, then wait for the end; a Ctrl-C only ends the waiting."""
    ask_to_drain(settings.locks)
    sys.stdout.write("No further job is started. Waiting for the running one.\n")
    sys.stdout.flush()
    try:
        with lock(settings.locks, DISPATCHER).acquire(poll_interval=0.2):
            pass
    except KeyboardInterrupt:
        sys.stdout.write("The queue still drains.\n")
        return 130
    sys.stdout.write(
        "Nothing runs. Waiting jobs are kept; wan22 run or wan22 dispatch goes on with them.\n"
    )
    return 0


def bring_up_to_date(_args: argparse.Namespace) -> int:
    """Create or upgrade the tables; a copy of existing data is kept."""
    settings = Settings()
    make_folders(settings)
    prepare(settings)
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
