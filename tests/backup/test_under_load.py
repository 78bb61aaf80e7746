"""Backups while jobs are submitted, run, finished, deleted and purged."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.backup.conftest import NewPlace, Place
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import JobState
from wan22_app.domain.output import Output

BACKUPS = 10
PATIENCE_S = 60


class Load:
    """A thread that uses the app without a pause."""

    def __init__(self, place: Place):
        self.place = place
        self.begun = 0
        self.finished: list[str] = []
        self.purged = 0
        self._binned: deque[tuple[int, Output]] = deque()
        self.failure: BaseException | None = None
        self._more = threading.Semaphore(0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join(PATIENCE_S)

    def begin_backup(self) -> None:
        """Once another round is done."""
        assert self._more.acquire(timeout=PATIENCE_S), self.failure
        self.begun += 1

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._round(len(self.finished))
                self._more.release()
        except BaseException as error:
            self.failure = error
            raise

    def _round(self, number: int) -> None:
        job = self.place.submit(f"load {number}")
        self.place.submit(f"stays {number}")
        self.place.finish(job)
        self.finished.append(job.id)
        if number % 2:
            output = self.place.outputs.bin(LOCAL_PERSON, job.id, datetime.now(UTC))
            self._binned.append((self.begun, output))
        # What lies in the bin has lain there for longer than a backup takes.
        while self._binned and self._binned[0][0] + 2 <= self.begun:
            self._purge(self._binned.popleft()[1])

    def _purge(self, output: Output) -> None:
        """Files first, then the row, as the bin is emptied."""

        def remove() -> bool:
            for name in (output.video, output.poster):
                (self.place.settings.outputs / name).unlink()
            return True

        assert self.place.outputs.purge(output, remove)
        self.purged += 1


@pytest.mark.parametrize("wal", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_ten_backups_under_load_are_each_consistent(
    place: NewPlace, tmp_path: Path, wal: bool
) -> None:
    busy = place("busy")
    busy.wal = wal
    busy.open()
    with Load(busy).running() as load:
        for number in range(BACKUPS):
            load.begin_backup()
            busy.back_up(tmp_path / f"backup {number}")
    assert load.failure is None
    assert (busy.settings.data / "wan22.sqlite-wal").exists() is wal
    assert load.purged > 0
    seen = []
    for number in range(BACKUPS):
        new = place(f"new {number}")
        new.restore(tmp_path / f"backup {number}")
        assert new.open().check() > 0
        ended = new.jobs.ended(LOCAL_PERSON, [JobState.SUCCEEDED], limit=10**6)
        rows = {output.id for output in new.outputs.page(LOCAL_PERSON, limit=10**6)}
        assert rows <= {job.id for job in ended}, "a video without its job"
        seen.append(len(ended))
    assert seen == sorted(seen)
    assert seen[0] < seen[-1], "nothing happened between the backups"
