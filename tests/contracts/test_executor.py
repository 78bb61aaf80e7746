"""What an Executor promises: the scripted engine and the real one, in real processes."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.values import PLAN, a_request
from wan22_app.adapters.executors.local import LocalExecutor
from wan22_app.adapters.locks import lock
from wan22_app.bootstrap import engine_command
from wan22_app.domain.catalog import DEMO_T2V, ModelEntry, WeightsState
from wan22_app.domain.events import Cancelled, Crashed, Done, Event
from wan22_app.domain.work import Work
from wan22_app.ports import Run
from wan22_app.settings import Settings

SLOT = "cpu"
SCRIPT, MODULE = "tests.scripted_engine", "wan22_app.engine.child"
PATIENCE_S = 90.0
Start = Callable[[str], Run]


def scripted(slot: str, lock_file: Path) -> Sequence[str]:
    return (sys.executable, "-m", SCRIPT, slot, str(lock_file))


def real(slot: str, lock_file: Path) -> Sequence[str]:
    return engine_command(Settings(data=lock_file.parent), "cpu", slot, lock_file)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    each = LocalExecutor((SLOT,), scripted, tmp_path / "locks", tmp_path / "logs")
    yield each
    each.close()


@pytest.fixture
def start(executor: LocalExecutor, tmp_path: Path) -> Start:
    return lambda prompt: executor.start(work(prompt, tmp_path), SLOT)


def work(prompt: str, staging: Path, folder: str = "", number: int = 1) -> Work:
    return Work(
        job_id=f"{number:032x}",
        epoch=1,
        request=a_request(prompt=prompt, width=64, height=64, frames=5, steps=2),
        plan=PLAN,
        entry=ModelEntry(spec=DEMO_T2V, state=WeightsState.READY, folder=folder),
        staging=str(staging),
        latents=str(staging / f"{number}.safetensors"),
        app_version="test",
    )


def until(executor: LocalExecutor, run: Run, reached: Callable[[list[Event]], bool]) -> list[Event]:
    """Poll as the dispatcher does."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE_S
    while not reached(events):
        assert time.monotonic() < deadline, events
        executor.wait(1.0)
        events += run.poll()
    return events


def ended(events: list[Event]) -> bool:
    return bool(events) and isinstance(events[-1], Done | Cancelled | Crashed)


def engine_pid(tmp_path: Path) -> int:
    """The child that holds the slot; it is the only engine of ours."""
    children = psutil.Process().children()
    (engine,) = (child for child in children if {SCRIPT, MODULE} & {*child.cmdline()})
    return engine.pid


def test_a_run_ends_with_one_verdict_and_then_nothing(
    executor: LocalExecutor, start: Start
) -> None:
    run = start("plain")
    events = until(executor, run, ended)
    assert isinstance(events[-1], Done)
    assert Path(events[-1].video).is_file()
    assert sum(isinstance(event, Done | Cancelled | Crashed) for event in events) == 1
    assert list(run.poll()) == []


def test_the_engine_stays_warm(executor: LocalExecutor, start: Start, tmp_path: Path) -> None:
    until(executor, start("plain"), ended)
    first = engine_pid(tmp_path)
    until(executor, start("plain"), ended)
    assert engine_pid(tmp_path) == first
    executor.free(SLOT)
    assert not psutil.pid_exists(first)
    until(executor, start("plain"), ended)


def test_freeing_leaves_a_run_alone(executor: LocalExecutor, start: Start) -> None:
    run = start("slow")
    until(executor, run, bool)
    executor.free(SLOT)
    run.cancel()
    assert isinstance(until(executor, run, ended)[-1], Cancelled)


def test_cancel_is_obeyed(executor: LocalExecutor, start: Start, tmp_path: Path) -> None:
    run = start("slow")
    until(executor, run, bool)
    pid = engine_pid(tmp_path)
    run.cancel()
    assert isinstance(until(executor, run, ended)[-1], Cancelled)
    assert psutil.pid_exists(pid), "a polite cancel keeps the engine"


def test_an_engine_that_is_deaf_to_cancel_is_killed(
    executor: LocalExecutor, start: Start, tmp_path: Path
) -> None:
    run = start("deaf")
    until(executor, run, bool)
    pid = engine_pid(tmp_path)
    run.cancel()
    assert isinstance(until(executor, run, ended)[-1], Cancelled)
    assert not psutil.pid_exists(pid)
    assert isinstance(until(executor, start("plain"), ended)[-1], Done)


@pytest.mark.parametrize("death", ["abort", "exit"])
def test_a_death_is_reported_with_its_code_and_last_words(
    executor: LocalExecutor, start: Start, death: str
) -> None:
    crash = until(executor, start(death), ended)[-1]
    assert isinstance(crash, Crashed)
    if death == "exit":
        assert crash.exit_code == 17
        assert "last words of a dying engine" in crash.log
    assert isinstance(until(executor, start("plain"), ended)[-1], Done)


def test_a_killed_engine_is_noticed(executor: LocalExecutor, start: Start, tmp_path: Path) -> None:
    run = start("slow")
    until(executor, run, bool)
    psutil.Process(engine_pid(tmp_path)).kill()
    crash = until(executor, run, ended)[-1]
    assert isinstance(crash, Crashed)
    if os.name == "posix":
        assert crash.exit_code == -9


def test_what_libraries_print_is_no_event(executor: LocalExecutor, start: Start) -> None:
    assert isinstance(until(executor, start("noise"), ended)[-1], Done)


def test_a_slot_that_an_orphan_still_holds_is_waited_for(
    executor: LocalExecutor, start: Start, tmp_path: Path
) -> None:
    orphan = lock(tmp_path / "locks", f"slot-{SLOT}.lock")
    orphan.acquire()
    assert not executor.is_free(SLOT)
    run = start("plain")
    first = psutil.Process().children()[0]
    # Its exit code goes to the executor's own thread, so only its end can be waited for here.
    first.wait(timeout=PATIENCE_S)
    assert list(run.poll()) == [], "an engine without its slot is no death of the job"
    orphan.release()
    assert [type(event) for event in until(executor, run, ended)[-1:]] == [Done]


def test_close_leaves_no_engine(executor: LocalExecutor, start: Start, tmp_path: Path) -> None:
    run = start("slow")
    until(executor, run, bool)
    pid = engine_pid(tmp_path)
    executor.close()
    assert not psutil.pid_exists(pid)
    assert executor.is_free(SLOT)


def test_the_real_engine_keeps_the_same_promises(tmp_path: Path, demo_models: Path) -> None:
    executor = LocalExecutor((SLOT,), real, tmp_path / "locks", tmp_path / "logs")
    folder = str(demo_models / "demo" / "t2v")
    try:
        done = until(executor, executor.start(work("a", tmp_path, folder), SLOT), ended)[-1]
        assert isinstance(done, Done), done
        run = executor.start(work("b", tmp_path, folder, 2), SLOT)
        psutil.Process(engine_pid(tmp_path)).kill()
        assert isinstance(until(executor, run, ended)[-1], Crashed)
    finally:
        executor.close()
