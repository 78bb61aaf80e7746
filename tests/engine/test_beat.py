"""Signs of life between two units of a stage, and the stacks of a run that shows none."""

import re
import subprocess
import sys
import threading

import pytest
from torch import nn

from wan22_app.domain import watch
from wan22_app.domain.events import Alive, Event, Stage
from wan22_app.domain.watch import patience
from wan22_app.engine import progress
from wan22_app.engine.progress import Brake, Progress


def test_every_block_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT_S", 0.0)
    said: list[Event] = []
    brake, block = Brake(), nn.Identity()
    brake.guard([block])
    block(1)
    assert said == [], "no run, no sign"
    Progress("job", said.append, brake).begin(Stage.DENOISING, 4)
    block(1)
    block(1)
    assert [event.type for event in said] == ["advanced", "alive", "alive"]


def test_signs_come_at_most_once_a_second() -> None:
    said: list[Event] = []
    run = Progress("job", said.append, Brake())
    for _ in range(1000):
        run.beat()
    assert len(said) <= 1


def test_bytes_that_come_in_are_a_sign_while_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT_S", 0.001)
    seen, came = iter(range(0, 10**12, 2 * watch.LOADED_BYTES)), threading.Event()
    monkeypatch.setattr(progress, "_bytes_seen", lambda: next(seen))

    def emit(event: Event) -> None:
        assert isinstance(event, Alive)
        came.set()

    with Progress("job", emit, Brake()).loading():
        assert came.wait(60)


def test_every_stage_has_its_patience() -> None:
    assert all(patience(stage) >= 60 for stage in (None, *Stage))


HANG = """
import threading
from wan22_app.engine import child
child.patience = lambda stage: 0.2
child._watch(None)
threading.Event().wait(5)
"""


def test_a_hung_process_writes_its_stacks_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, check=True)
    assert re.search(r"Timeout .*\n.*most recent call first", done.stderr)
    assert "wait" in done.stderr
