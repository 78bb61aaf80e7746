"""The processes of one installation, killed and started again from outside."""

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests import server
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import DISPATCHER, is_held
from wan22_app.bootstrap import Services, build_services
from wan22_app.settings import Settings

if TYPE_CHECKING:
    # Windows has only one of them.
    from multiprocessing.context import ForkServerContext, SpawnContext

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_S = 600.0
FRESH = get_context("spawn")
FORKED = get_context("forkserver") if "forkserver" in get_all_start_methods() else FRESH
"""Dispatchers are forked from a process that has imported their code, where a platform can do that:
a start costs a tenth, and a kill meets a life at work more often than one that still imports. Their
memory is shared with that process, so growth is measured in fresh ones."""
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

    def __init__(
        self,
        settings: Settings,
        dispatcher: str,
        *,
        web: bool = False,
        context: "SpawnContext | ForkServerContext" = FRESH,
    ):
        self.settings = settings
        self._context = context
        self._places = {f"WAN22_{name.upper()}": str(getattr(settings, name)) for name in PLACES}
        self._dispatcher = dispatcher
        self._started: list[BaseProcess] = []
        self._wants_web = web
        self.web: server.Server | None = None

    def __enter__(self) -> "Installation":
        self.ensure_dispatcher()
        self.ensure_web()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill({"engine", "dispatcher", "web"})
        for process in self._started:
            process.join(PATIENCE_S)

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
        while not all(map(_is_gone, victims)):
            time.sleep(0.002)
        for process in self._started:
            if process.pid in {victim.pid for victim in victims}:
                # Its threads may outlive it by a moment, and with them its lock.
                process.join(PATIENCE_S)
        # Also who ended by itself: what nobody waits for stays in the list of processes.
        self._started = [process for process in self._started if process.is_alive()]
        if self.web:
            self.web.process.poll()

    def _owned(self) -> bool:
        return is_held(self.settings.locks, DISPATCHER)

    def _start_dispatcher(self) -> None:
        """Start one; a web that was quicker has started another, which is as good."""
        log = self.settings.logs / "start.log"
        self._context.set_forkserver_preload([self._dispatcher, *_imported()])
        process = self._context.Process(target=_become, args=(self._dispatcher, self._places, log))
        process.start()
        self._started.append(process)
        deadline = time.monotonic() + PATIENCE_S
        while not self._owned():
            if process.exitcode or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.005)

    def _found(self, kinds: Collection[str]) -> Iterator[psutil.Process]:
        """All processes of these kinds that work on our data folder."""
        started = {process.pid for process in self._started} if "dispatcher" in kinds else set()
        for process in psutil.process_iter():
            if process.pid in started:
                yield process
                continue
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("WAN22_DATA") == self._places["WAN22_DATA"]
                if ours and process.pid != os.getpid() and kind_of(process) in kinds:
                    yield process


def _is_gone(process: psutil.Process) -> bool:
    """Dead, though whoever should take note of it has perhaps not yet: that may take a second."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kind_of(process: psutil.Process) -> str:
    """What a process of an installation is; the web's are all that are nothing else."""
    line = " ".join(process.cmdline())
    return next((kind for kind, words in WORDS.items() if any(w in line for w in words)), "web")


def _imported() -> list[str]:
    """What the running program has imported of ours: a child imports it, too, so better before."""
    own = sys.modules["__main__"].__spec__
    return [name for name in sys.modules
            if name.startswith("benchmarks.") and not (own and name == own.name)]  # fmt: skip


def _become(module: str, places: Mapping[str, str], log: Path) -> None:
    """Be a dispatcher in an environment with these places; its words go to the log."""
    os.environ.update(places, PYTHONPATH=str(PROJECT))
    with log.open("ab") as out:
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    os.chdir(PROJECT)
    sys.exit(importlib.import_module(module).main([]))
