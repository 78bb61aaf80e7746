"""The processes of one installation, killed and started again from outside."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

from tests import server
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import DISPATCHER, is_held
from wan22_app.bootstrap import Services, build_services
from wan22_app.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_S = 600.0
PLACES = ("data", "outputs", "loras", "models")
WORDS = {"engine": ("engine.child", "scripted_engine"), "dispatcher": ("dispatcher",)}
"""What tells them apart on the command line."""


def fresh(base: Path, models: Path) -> Services:
    """Services over new folders in ``base``, with a database, and the checkpoints of ``models``."""
    places = {"models": models, **{name: base / name for name in ("data", "outputs", "loras")}}
    app = build_services(Settings.model_validate(places))
    migrate(app.settings.database)
    return app


class Installation:
    """Dispatcher, engines, and a web if one is wanted, over the folders of ``settings``.

    A context manager: at its end none of them is left.
    """

    def __init__(self, settings: Settings, dispatcher: str, *, web: bool = False):
        self.settings = settings
        self._places = {f"WAN22_{name.upper()}": str(getattr(settings, name)) for name in PLACES}
        self._dispatcher = dispatcher
        self._started: list[subprocess.Popen[bytes]] = []
        self._wants_web = web
        self.web: server.Server | None = None

    def __enter__(self) -> "Installation":
        self.ensure_dispatcher()
        self.ensure_web()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill({"engine", "dispatcher", "web"})
        for process in self._started:
            process.wait(timeout=PATIENCE_S)

    def ensure_dispatcher(self) -> bool:
        """Start one if there is none and wait for its lock; True when that was necessary."""
        if self._owned():
            return False
        self._start_dispatcher()
        return True

    def ensure_web(self) -> None:
        """Start it again if it is wanted and gone, on a port of its own; wait until it answers."""
        if self._wants_web and (self.web is None or self.web.process.poll() is not None):
            self.web = server.start(self._places, self.settings.data)

    def process(self, kind: str) -> psutil.Process:
        """The one process of this kind."""
        (found,) = self._found({kind})
        return found

    def kill(self, kinds: Collection[str]) -> None:
        """SIGKILL, or its like; returns when the victims are gone."""
        victims = list(self._found(kinds))
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        psutil.wait_procs(victims)
        gone = {victim.pid for victim in victims}
        children = [*self._started, *([self.web.process] if self.web else [])]
        for process in children:
            if process.pid in gone:
                process.wait()
            else:
                process.poll()  # one that ended by itself must not stay unseen either

    def _owned(self) -> bool:
        return is_held(self.settings.locks, DISPATCHER)

    def _start_dispatcher(self) -> None:
        """Start one; a web that was quicker has started another, which is as good."""
        log = self.settings.logs / "start.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", self._dispatcher],
                env={**os.environ, **self._places, "PYTHONPATH": str(PROJECT)},
                cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        self._started.append(process)
        deadline = time.monotonic() + PATIENCE_S
        while not self._owned():
            if process.poll() or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.005)

    def _found(self, kinds: Collection[str]) -> Iterator[psutil.Process]:
        """All processes of these kinds that work on our data folder."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("WAN22_DATA") == self._places["WAN22_DATA"]
                if ours and process.pid != os.getpid() and kind_of(process) in kinds:
                    yield process


def kind_of(process: psutil.Process) -> str:
    """What a process of an installation is; the web's are all that are nothing else."""
    line = " ".join(process.cmdline())
    return next((kind for kind, words in WORDS.items() if any(w in line for w in words)), "web")
