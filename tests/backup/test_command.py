"""``wan22 backup`` and ``wan22 restore``, run as a person runs them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.backup.conftest import NewPlace, Place
from tests.isolation.conftest import until
from wan22_app.adapters.locks import (
    DISPATCHER,
    DOWNLOADER,
    Attachment,
    is_held,
    lock,
    single_backup,
    single_web,
    standstill,
)
from wan22_app.bootstrap import build_backup, build_dispatcher, build_restore
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.errors import CannotStart
from wan22_app.domain.job import JobState


def environment(place: Place) -> dict[str, str]:
    names = ("data", "outputs", "models", "loras")
    return {**os.environ, **{f"WAN22_{name.upper()}": str(place.root / name) for name in names}}


def wan22(place: Place, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wan22_app.cli", *map(str, arguments)]
    return subprocess.run(
        command, env=environment(place), cwd=place.root, capture_output=True, text=True, check=False
    )


def test_a_round_trip_with_an_unusual_path(place: NewPlace, tmp_path: Path) -> None:
    old, new = place("old").open().fill(), place("new place, naïve 漢")
    (old.settings.outputs / old.outputs.page(LOCAL_PERSON)[0].poster).unlink()
    target = tmp_path / "my backup, Größe 漢"
    done = wan22(old, "backup", target, "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["target"] == str(target)
    assert len(line["missing"]) == 1
    assert "Copying the database." in done.stderr
    assert "1 files had no file any more" in done.stderr
    done = wan22(new, "restore", target)
    assert done.returncode == 0, done.stderr
    assert "The backup is back" in done.stdout
    assert {job.id for job in new.open().jobs.queue(LOCAL_PERSON)} == {
        old.running.id,
        old.waiting.id,
    }
    assert len(new.outputs.page(LOCAL_PERSON)) == 3


def test_what_ran_in_the_backup_is_rescued_at_the_next_start(
    place: NewPlace, tmp_path: Path
) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    new = place("new")
    new.restore(backup)
    dispatcher = build_dispatcher(new.settings)
    dispatcher.tick()
    dispatcher.stop()
    jobs = new.open().jobs.queue(LOCAL_PERSON)
    assert [job.state for job in jobs] == [JobState.QUEUED, JobState.QUEUED]


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    with lock(folder, name):
        yield


@pytest.mark.parametrize(
    "running",
    [
        lambda locks: held(locks, DISPATCHER),
        lambda locks: held(locks, DOWNLOADER),
        lambda locks: single_web(locks, 0),
        single_backup,
        Attachment,
    ],
)
def test_nothing_is_restored_below_somebody(
    tmp_path: Path, running: Callable[[Path], AbstractContextManager[object]]
) -> None:
    with running(tmp_path), pytest.raises(CannotStart) as refusal, standstill(tmp_path):
        raise AssertionError("somebody runs")
    assert refusal.value.problem.cure
    with standstill(tmp_path):
        assert is_held(tmp_path, DISPATCHER), "nobody may start meanwhile"


def test_ctrl_c_leaves_nothing(place: NewPlace, tmp_path: Path) -> None:
    def interrupt_at(word: str) -> Callable[[str], None]:
        def tell(line: str) -> None:
            if word in line:
                raise KeyboardInterrupt

        return tell

    old = place("old").open().fill()
    for word in ("Copying", "Taking", "durable"):
        with pytest.raises(KeyboardInterrupt):
            build_backup(old.settings).make(tmp_path / "backup", interrupt_at(word))
        assert [*tmp_path.glob("backup*")] == []
    backup = old.back_up(tmp_path / "backup")
    here = place("here").open()
    here.finish(here.submit("mine"))
    here.close()
    before = here.files()
    for word in ("Checking", "Moving"):
        with pytest.raises(KeyboardInterrupt):
            build_restore(here.settings).run(backup, interrupt_at(word), replace=True)
        assert here.files() == before


@pytest.mark.slow
def test_a_backup_runs_beside_a_dispatcher_and_a_restore_does_not(
    place: NewPlace, tmp_path: Path
) -> None:
    old = place("old").open().fill()
    command = [sys.executable, "-m", "wan22_app.cli", "dispatch"]
    with subprocess.Popen(command, env=environment(old), stdout=subprocess.DEVNULL) as dispatcher:
        until(lambda: is_held(old.settings.locks, DISPATCHER), "the dispatcher's lock")
        done = wan22(old, "backup", tmp_path / "backup")
        assert done.returncode == 0, done.stderr
        refused = wan22(old, "restore", tmp_path / "backup", "--replace")
        dispatcher.terminate()
    assert refused.returncode == 2
    assert "The app runs on this folder" in refused.stderr
    assert old.check() == 3
    old.close()
    occupied = wan22(old, "restore", tmp_path / "backup")
    assert occupied.returncode == 2
    assert "--replace" in occupied.stderr
    done = wan22(old, "restore", tmp_path / "backup", "--replace", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["aside"]) == 2
    assert old.open().check() == 3
