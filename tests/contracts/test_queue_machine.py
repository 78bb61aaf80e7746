"""The queue's guarantee, whatever happens in whatever order.

Hypothesis plays people, engines, a killed dispatcher, a jumping clock and failing disks against
the real stores and the real dispatcher. After every step the changes that the database has noted
must be among those that are allowed, and whatever was played, all jobs end when it is over.
"""

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.contracts.queue_world import PEOPLE, Bench, EngineRun, Engines, Folder, Row
from tests.values import an_output
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, NotFound, Problem, QuotaReached, Unwritable, UserError
from wan22_app.domain.events import (
    Advanced,
    Cancelled,
    Crashed,
    Done,
    Drafted,
    Event,
    Failed,
    Resumed,
    Stage,
)
from wan22_app.domain.job import MAX_DEATHS, Job, JobState, Progress
from wan22_app.domain.watch import LIMITS_S
from wan22_app.services.drafts import Drafts

MOST_WAITING = 4
WHY = Problem(code="x", what="It failed.", cure="Try again.")
FIELDS = {"model": "demo-t2v", "prompt": "a red ball"}
DRAFT = {**FIELDS, "drafts": "True"}
FINAL = {str(state) for state in JobState if state.final}
ALLOWED = {
    # (before, after): by how much epoch and attempts may move
    ("queued", "queued"): {(0, 0)},
    ("queued", "running"): {(1, 1)},
    ("queued", "cancelled"): {(0, 0)},
    ("queued", "failed"): {(0, 0)},
    ("running", "running"): {(0, 0)},
    ("running", "queued"): {(0, 0), (0, -1)},
    ("running", "succeeded"): {(0, 0)},
    ("running", "failed"): {(0, 0)},
    ("running", "cancelled"): {(0, 0), (0, -1)},
    ("running", "quarantined"): {(0, 0)},
    **{(state, state): {(0, 0)} for state in FINAL},
}
"""A claim counts both; only a polite return takes an attempt back; what is final stays."""

KINDS = ("request", "memory", "device", "weights", "storage", "internal")
people = st.sampled_from(PEOPLE)
dice = st.integers(0, 1_000)
kinds = st.sampled_from(KINDS)
talk = st.lists(st.integers(0, 3), max_size=3)
hours = st.sampled_from([0, 0, -87_600, -24, -1, 1, 24, 87_600])


class QueueMachine(RuleBasedStateMachine):
    """People on one side, a dispatcher and its surroundings on the other."""

    def __init__(self, bench: Bench):
        super().__init__()
        self.bench = bench
        self.world = bench.world()
        self.submission = self.world.submission(MOST_WAITING)
        self.retrying = self.world.retrying(MOST_WAITING)
        self.drafts = Drafts(self.world.jobs, self.world.latents, self.submission)
        self.confirmed: dict[str, Job] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.stopped_at: dict[str, Row] = {}
        self.ghosts: list[EngineRun] = []
        self.awake = True
        self.started_before_drain: int | None = None
        self.dispatcher = self.world.dispatcher()

    @property
    def engines(self) -> Engines:
        assert isinstance(self.world.executor, Engines)
        return self.world.executor

    @property
    def folder(self) -> Folder:
        assert isinstance(self.world.files, Folder)
        return self.world.files

    def job(self, number: int) -> tuple[Row, Person]:
        rows = list(self.bench.rows().values())
        row = rows[number % len(rows)]
        return row, next(person for person in PEOPLE if person.id == row.owner)

    def waiting(self, person: Person) -> int:
        rows = self.bench.rows().values()
        return sum(row.owner == person.id and row.state == "queued" for row in rows)

    # People

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        for number in range(count):
            self.submit(PEOPLE[number % 2], number)

    @rule(person=people, key=st.integers(0, 9))
    def submit(self, person: Person, key: int) -> None:
        self._ask(person, f"{key}", self.submission.submit, FIELDS)

    @rule(person=people, key=st.integers(15, 19))
    def submit_draft(self, person: Person, key: int) -> None:
        self._ask(person, f"{key}", self.submission.submit_batch, DRAFT)

    @precondition(lambda self: self.confirmed)
    @rule(which=dice)
    def go_on(self, which: int) -> None:
        row, person = self.job(which)
        if not row.removed:
            with suppress(Conflict):
                self._once(person, self.drafts.go_on, row)
                assert (row.until > 0, row.state) == (True, "succeeded")

    @precondition(lambda self: self.confirmed)
    @rule(which=dice)
    def discard(self, which: int) -> None:
        row, person = self.job(which)
        busy = row.id in self.world.jobs.unfinished_latents()
        can = row.until > 0 and row.state == "succeeded" and not busy
        self._wish(row, can, partial(self.drafts.discard, person, row.id))

    @precondition(lambda self: self.confirmed)
    @rule(which=dice)
    def retry(self, which: int) -> None:
        row, person = self.job(which)
        if row.removed:
            return
        if row.state in FINAL:
            self._once(person, self.retrying.again, row)
        else:
            with pytest.raises(Conflict):
                self.retrying.again(person, row.id)

    def _once(self, person: Person, ask: Callable[[Person, str], Job], row: Row) -> None:
        """Another job of an ended one: one wish is one job until that has ended."""
        name = f"{ask.__name__} {row.id}"
        made = {job for (_, key), job in self.keys.items() if key.startswith(name)}
        ended = sum(self.bench.rows()[job].state in FINAL for job in made)
        self._ask(person, f"{name} {ended}", lambda who, job_id, _: ask(who, job_id), row.id)

    def _ask(self, person: Person, key: str, ask: Callable[..., Any], what: object) -> None:
        """Each way to a new job keeps the limit and gives one job for a key."""
        known, waiting = self.keys.get((person.id, key)), self.waiting(person)
        try:
            found = ask(person, what, key)
        except QuotaReached:
            assert known is None
            assert waiting >= MOST_WAITING
            return
        except Unwritable:
            assert self.bench.disk.refuses
            return
        except Conflict:
            raise
        except UserError:
            assert self.folder.refuses or self.world.library.missing
            return
        job = found if isinstance(found, Job) else found[0]
        assert known in (None, job.id), "one key, two jobs"
        assert known is not None or waiting < MOST_WAITING
        self.keys[person.id, key] = job.id
        self.confirmed[job.id] = job

    @precondition(lambda self: self.confirmed)
    @rule(which=dice)
    def cancel(self, which: int) -> None:
        row, person = self.job(which)
        wish = partial(self.world.jobs.request_cancel, person, row.id)
        if self._wish(row, row.state not in FINAL, wish):
            after = self.bench.rows()[row.id]
            assert after.cancel_requested
            assert after.state == ("cancelled" if row.state == "queued" else "running")

    @precondition(lambda self: self.confirmed)
    @rule(which=dice, paused=st.booleans(), whole=st.booleans())
    def pause(self, which: int, paused: bool, whole: bool) -> None:
        row, person = self.job(which)
        jobs = self.world.jobs
        if whole:
            self._try(lambda: jobs.pause_queue(person, paused=paused))
        else:
            self._wish(
                row, row.state == "queued", lambda: jobs.pause(person, row.id, paused=paused)
            )

    @precondition(lambda self: self.confirmed)
    @rule(which=dice, goal=st.none() | dice)
    def move(self, which: int, goal: int | None) -> None:
        row, person = self.job(which)
        mine = [other for other in self.bench.rows().values()
                if other.owner == row.owner and not other.removed]  # fmt: skip
        before = mine[goal % len(mine)] if mine and goal is not None else None
        can = row.state == "queued" and (before is None or before.state == "queued")
        wish = partial(self.world.jobs.move, person, row.id, before.id if before else None)
        self._wish(row, can, wish)

    @precondition(lambda self: self.confirmed)
    @rule(which=dice)
    def remove(self, which: int) -> None:
        row, person = self.job(which)
        wish = partial(self.world.jobs.remove, person, row.id)
        self._wish(row, row.state in FINAL, wish)

    def _try(self, change: Callable[[], object]) -> bool:
        """False when the database refuses; nothing else may go wrong."""
        try:
            change()
        except Unwritable:
            assert self.bench.disk.refuses
            return False
        return True

    def _wish(self, row: Row, possible: bool, wish: Callable[[], object]) -> bool:
        """A change that a person asks for: done, or refused for the reason that there is."""
        try:
            if not self._try(wish):
                return False
        except NotFound:
            assert row.removed
            return False
        except Conflict:
            assert not possible
            return False
        assert possible
        assert not row.removed
        return True

    # The dispatcher and its engines

    @rule()
    def doze(self) -> None:
        """The dispatcher looks after each step, or much happens before it looks again."""
        self.awake = not self.awake

    @precondition(lambda self: self.engines.flying())
    @rule(which=dice, words=talk)
    def step(self, which: int, words: list[int]) -> None:
        self._say(which, words)

    @precondition(lambda self: self.engines.flying())
    @rule(which=dice, words=talk, there=st.booleans())
    def done(self, which: int, words: list[int], there: bool) -> None:
        self._end(self._say(which, words), "done" if there else "no part")

    @precondition(lambda self: self.engines.flying())
    @rule(which=dice, words=talk, how=st.sampled_from(["crashed", "starved", "cancelled"]))
    def crash_or_obey(self, which: int, words: list[int], how: str) -> None:
        self._end(self._say(which, words), how)

    @precondition(lambda self: self.engines.flying())
    @rule(which=dice, words=talk, kind=kinds, fatal=st.booleans())
    def fail(self, which: int, words: list[int], kind: str, fatal: bool) -> None:
        self._end(self._say(which, words), kind, fatal)

    def _say(self, which: int, words: list[int]) -> EngineRun:
        flying = self.engines.flying()
        run = flying[which % len(flying)]
        run.script += [_word(run.job_id, number) for number in words]
        return run

    def _end(self, run: EngineRun, how: str, fatal: bool = False) -> None:
        """The one verdict of a run."""
        if how == "done" and not run.work.until:
            self.folder.parts.add(run.job_id)
        if how == "no part" and run.work.until:
            self.world.latents.faults.append(FileNotFoundError(errno.ENOENT, "no preview"))
        run.over = True
        run.script.append(_verdict(run, how, fatal))

    @rule(busy=st.booleans())
    def kill_dispatcher(self, busy: bool) -> None:
        """The next one finds the slots still held when the old engines have not ended yet."""
        self.ghosts += self.engines.flying()
        self._next_dispatcher(busy)

    @rule()
    def stop_dispatcher(self) -> None:
        """Politely: what ran without a verdict has lost no attempt."""
        flying = {run.job_id: run.epoch for run in self.engines.flying()}
        before = self.bench.rows()
        try:
            self.dispatcher.stop()
        except Unwritable:
            assert self.bench.disk.refuses
        else:
            after = self.bench.rows()
            for job_id in flying:
                expected = "cancelled" if before[job_id].cancel_requested else "queued"
                assert after[job_id].state == expected
                assert after[job_id].attempts == before[job_id].attempts - 1
        self._next_dispatcher(busy=False)

    @rule()
    def drain(self) -> None:
        """What runs goes on; the next dispatcher starts jobs again."""
        self.dispatcher.drain()
        self.started_before_drain = self.engines.started

    @rule(minutes=st.sampled_from([0.0, 5.0]))
    def limit(self, minutes: float) -> None:
        """How long each person's jobs may have the card; a setting of the next dispatcher."""
        self.world.daily_minutes = minutes

    @precondition(lambda self: self.awake and self.engines.flying())
    @rule(seconds=st.sampled_from([250, 950]))
    def silence(self, seconds: int) -> None:
        """No engine says a word, and the dispatcher is there to notice."""
        runs = self.engines.flying()
        for _ in range(0, seconds, 50):
            self.world.clock.advance(50)
            self._try(self.dispatcher.tick)
        if seconds > max(LIMITS_S.values()) and not self.bench.disk.refuses:
            assert all(run.over for run in runs), "a hung run holds its slot for ever"

    def _next_dispatcher(self, busy: bool) -> None:
        self.world.executor = Engines()
        self.world.executor.free_slot = not busy
        self.started_before_drain = None
        self.dispatcher = self.world.dispatcher()

    @precondition(lambda self: not self.engines.free_slot)
    @rule()
    def old_engines_end(self) -> None:
        self.engines.free_slot = True

    @precondition(lambda self: self.ghosts and not self.bench.disk.refuses)
    @rule(which=dice, how=st.sampled_from(["published", "failed", "put back"]))
    def late_words(self, which: int, how: str) -> None:
        """A killed dispatcher's last write arrives: in time, or after the job has gone on."""
        run = self.ghosts.pop(which % len(self.ghosts))
        job_id, epoch, jobs = run.job_id, run.epoch, self.world.jobs
        before = self.bench.rows()
        stale = before[job_id].epoch != epoch or before[job_id].state != "running"
        if how == "published" and run.work.until:
            written = jobs.draft(job_id, epoch)
        elif how == "published":
            self.folder.videos.add(f"{job_id}.mp4")
            written = jobs.succeed(job_id, epoch, an_output(self.confirmed[job_id]))
        elif how == "failed":
            written = jobs.end(job_id, epoch, JobState.FAILED, WHY)
        else:
            # After the last attempt a dispatcher puts back only what it has stopped itself.
            counted = before[job_id].attempts < MAX_DEATHS
            written = jobs.requeue(job_id, epoch, WHY, count_attempt=counted)
        assert written is not stale
        if stale:
            assert self.bench.rows() == before

    @precondition(lambda self: self.confirmed and not self.bench.disk.refuses)
    @rule(which=dice, back=st.integers(0, 2))
    def stale_writes(self, which: int, back: int) -> None:
        """Each write of a run that is over, by itself."""
        row, _person = self.job(which)
        if row.state == "running":
            back += 1
        jobs, epoch, before = self.world.jobs, row.epoch - back, self.bench.rows()
        revision = jobs.latest_revision()
        assert not jobs.record(row.id, epoch, Progress(stage=Stage.TEXT))
        assert not jobs.note(row.id, epoch, "resumed", "Goes on.")
        assert not jobs.succeed(row.id, epoch, an_output(self.confirmed[row.id]))
        assert not jobs.draft(row.id, epoch)
        assert not jobs.end(row.id, epoch, JobState.FAILED, WHY)
        assert not jobs.requeue(row.id, epoch, WHY)
        assert self.bench.rows() == before
        assert jobs.latest_revision() == revision

    # The machine

    @rule(seconds=st.sampled_from([0.3, 1.1, 11.0, 301.0]), hours=hours)
    def time(self, seconds: float, hours: int) -> None:
        """It passes, and the clock on the wall is set."""
        self.world.clock.advance(seconds)
        self.world.clock.time += timedelta(hours=hours)

    @rule(after=st.integers(0, 4))
    def full_database(self, after: int) -> None:
        """It takes so many more changes, then none."""
        self.bench.disk.commits_left = after

    @rule(fault=st.sampled_from([errno.ENOSPC, errno.EIO, errno.ENOENT, 0]))
    def next_publication(self, fault: int) -> None:
        """It fails once: the disk, the part file, or a video that does not play."""
        self.folder.faults = [OSError(fault, os.strerror(fault)) if fault else UserError(WHY)]

    @rule(what=st.sampled_from(["folder", "processes", "weights"]))
    def trouble(self, what: str) -> None:
        if what == "folder":
            self.folder.refuses = UserError(Problem(code="disk_full", what="Full."))
        elif what == "processes":
            self.engines.refuses = True
        else:
            self.world.library.missing = {"demo-t2v"}

    @rule()
    def recovery(self) -> None:
        self.bench.disk.commits_left = None
        self.folder.refuses, self.folder.faults = None, []
        self.engines.refuses = False
        self.world.library.missing = set()

    # What must hold

    @invariant()
    def it_holds_before_and_after_a_round(self) -> None:
        self.the_guarantee()
        if self.awake:
            # As the process does it: a database that refuses ends the round, nothing else may.
            self._try(self.dispatcher.tick)
            self.the_guarantee()

    def the_guarantee(self) -> None:
        self._nothing_else_ever_happens()
        self._every_confirmed_job_is_there_and_what_is_final_stays()
        self._at_most_one_video_and_only_of_what_succeeded()
        assert self.started_before_drain in (None, self.engines.started), "drained, yet started"

    def _nothing_else_ever_happens(self) -> None:
        for change in self.bench.changes():
            moved = (change.epochs, change.attempts)
            assert moved in ALLOWED.get((change.before, change.after), set()), change

    def _every_confirmed_job_is_there_and_what_is_final_stays(self) -> None:
        rows = self.bench.rows()
        assert rows.keys() == self.confirmed.keys(), "lost, or never confirmed"
        for row in rows.values():
            assert row.state in set(JobState)
            assert 0 <= row.attempts <= min(row.epoch, MAX_DEATHS)
            ended = self.stopped_at.setdefault(row.id, row) if row.state in FINAL else row
            assert ended._replace(removed=row.removed) == row, "final is final"

    def _at_most_one_video_and_only_of_what_succeeded(self) -> None:
        listed = self.bench.listed()
        rows = self.bench.rows().values()
        made = {row.id for row in rows if row.state == "succeeded" and not row.until}
        assert listed.keys() == made, "a draft is no video"
        assert set(listed.values()) <= self.folder.videos, "listed, but gone"

    @rule()
    def look_at_the_page(self) -> None:
        for person in PEOPLE:
            jobs = self.world.jobs
            shown = [job.id for job in (*jobs.queue(person, 1000), *jobs.ended(person, limit=1000))]
            rows = self.bench.rows().values()
            there = [row.id for row in rows if row.owner == person.id and not row.removed]
            assert sorted(shown) == sorted(there)

    def teardown(self) -> None:
        """Everything is well again: whatever was played, all that was confirmed comes to an end."""
        self.recovery()
        self._let_go()
        if self.started_before_drain is not None or self.dispatcher.around.daily_minutes:
            self.world.daily_minutes = 0.0
            self.kill_dispatcher(busy=False)
        for _ in range(MAX_DEATHS * len(self.confirmed) + 10):
            self.world.clock.advance(301)
            self.dispatcher.tick()
            for run in self.engines.flying():
                self._end(run, "done")
        rows = self.bench.rows()
        assert {row.state for row in rows.values()} <= FINAL, rows
        assert self.dispatcher.idle
        self.the_guarantee()
        self.look_at_the_page()
        self._next_dispatcher(busy=False)
        self.dispatcher.tick()
        assert self.folder.videos == set(self.bench.listed().values()), "swept"
        assert self.folder.parts == set()

    def _let_go(self) -> None:
        """Nothing is paused, and no old engine holds its slot."""
        self.engines.free_slot = True
        for person in PEOPLE:
            self.world.jobs.pause_queue(person, paused=False)
        for row in self.bench.rows().values():
            if row.state == "queued":
                owner = next(person for person in PEOPLE if person.id == row.owner)
                self.world.jobs.pause(owner, row.id, paused=False)


def _word(job_id: str, number: int) -> Event:
    if number == 0:
        return Resumed(job_id=job_id, step=2, total=4)
    stage = Stage.DECODING if number == 3 else Stage.DENOISING
    return Advanced(job_id=job_id, stage=stage, done=number, total=4, seconds=1.0)


def _verdict(run: EngineRun, how: str, fatal: bool) -> Event:
    """An engine that nobody asked does not say that it was cancelled: it is gone instead."""
    if how in ("done", "no part") and run.work.until:
        return Drafted(job_id=run.job_id, preview="p", step=run.work.until)
    if how in ("done", "no part"):
        return Done(
            job_id=run.job_id, video="v", poster="p", width=64, height=64, frames=5, fps=8,
            latents_sha256="0" * 64, seconds={"denoising": 1.0},
        )  # fmt: skip
    if how in KINDS:
        return Failed.model_validate(
            {"job_id": run.job_id, "kind": how, "problem": WHY, "fatal": fatal}
        )
    if how == "cancelled" and run.cancelled:
        return Cancelled(job_id=run.job_id)
    return Crashed(job_id=run.job_id, exit_code=-9 if how == "starved" else 1, log="last words")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def play(bench: Bench, request: pytest.FixtureRequest, examples: int, steps: int) -> None:
    """A seed of its own for each run, printed where a failure is read."""
    given = request.config.getoption("--hypothesis-seed")
    number = random.SystemRandom().getrandbits(32) if given is None else given
    sys.stdout.write(f"the run is made again by --hypothesis-seed={number}\n")
    run_state_machine_as_test(
        seed(int(number))(lambda: QueueMachine(bench)),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            print_blob=True,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_a_confirmed_job_is_never_lost_and_makes_at_most_one_video(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    play(bench, request, examples=12, steps=25)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_same_in_thousands_of_examples(bench: Bench, request: pytest.FixtureRequest) -> None:
    play(bench, request, examples=500, steps=40)


def started(bench: Bench) -> QueueMachine:
    machine = QueueMachine(bench)
    machine.submit(person=PEOPLE[0], key=1)
    return machine


def test_a_refused_line_does_not_take_the_verdict_behind_it(bench: Bench) -> None:
    machine = started(bench)
    machine.dispatcher.tick()
    machine.full_database(after=0)
    machine.done(which=0, words=[0], there=True)
    with pytest.raises(Unwritable):
        machine.dispatcher.tick()
    machine.teardown()


def test_a_claimed_job_that_could_neither_start_nor_go_back_goes_on_later(bench: Bench) -> None:
    machine = started(bench)
    machine.trouble(what="processes")
    machine.full_database(after=1)
    with pytest.raises(Unwritable):
        machine.dispatcher.tick()
    machine.teardown()
