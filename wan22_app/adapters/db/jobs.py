"""The queue in SQL. Every public method is one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import func
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db import order
from wan22_app.adapters.db.counters import (
    FREE_CARD,
    LISTS,
    NUMBER,
    REVISION,
    SERVED,
    changed,
    next_value,
    value_of,
)
from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.refusals import already_over, not_over, not_waiting, too_many
from wan22_app.adapters.db.rows import event_of, job_of, new_row, row_of
from wan22_app.adapters.db.story import END_TEXTS, HOLD_TEXTS, STAGE_TEXTS, tell
from wan22_app.adapters.db.tables import JobEventRow, JobRow, PersonRow
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, NotFound, Problem, QuotaReached
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.job import (
    FINAL_STATES,
    HoldReason,
    Job,
    JobEvent,
    JobState,
    Progress,
)
from wan22_app.domain.output import Output
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.relief import Relief
from wan22_app.ports import Clock, NewJob, Revision, Secrets

CANDIDATES_PER_PERSON = 32
MOST_CHANGES = 500


class SqlJobStore:
    """JobStore over SQLAlchemy."""

    def __init__(self, engine: Engine, clock: Clock, secrets: Secrets):
        self._engine = engine
        self._clock = clock
        self._secrets = secrets

    # People's side

    def add(self, person: Person, new: NewJob, most_waiting: int) -> Job:
        return self.add_all(person, [new], most_waiting)[0]

    def add_all(self, person: Person, news: Sequence[NewJob], most_waiting: int) -> Sequence[Job]:
        def work(session: Session) -> Sequence[Job]:
            # One submission of a person at a time, where the database lets writers overlap: two
            # clicks must find each other's row, and two tabs must not both take the last place.
            session.get(PersonRow, person.id, with_for_update=True)
            keys = [new.key for new in news]
            query = select(JobRow).where(JobRow.owner == person.id, col(JobRow.key).in_(keys))
            rows = {row.key: row for row in session.exec(query)}
            fresh = [new for new in news if new.key not in rows]
            if fresh and self._waiting(session, person) + len(fresh) > most_waiting:
                raise QuotaReached(too_many(most_waiting))
            # Each goes before all that wait, so the last of a batch has to go there first.
            for new in reversed(fresh) if fresh and fresh[0].first else fresh:
                rows[new.key] = self._insert(session, person, new)
            return [job_of(rows[key]) for key in keys]

        return write(self._engine, work)

    def get(self, person: Person, job_id: str) -> Job:
        return read(self._engine, lambda session: job_of(self._owned(session, person, job_id)))

    def story(self, person: Person, job_id: str) -> Sequence[JobEvent]:
        query = (
            select(JobEventRow).where(JobEventRow.job_id == job_id).order_by(col(JobEventRow.id))
        )

        def work(session: Session) -> Sequence[JobEvent]:
            self._owned(session, person, job_id)
            return [event_of(row) for row in session.exec(query)]

        return read(self._engine, work)

    def request_cancel(self, person: Person, job_id: str) -> Job:
        def work(session: Session) -> Job:
            row = self._owned(session, person, job_id, lock=True)
            if JobState(row.state).final:
                raise Conflict(already_over())
            row.cancel_requested = True
            if row.state == JobState.QUEUED:
                self._finish(session, row, JobState.CANCELLED, None)
            return job_of(self._changed(session, row))

        return write(self._engine, work)

    def remove(self, person: Person, job_id: str) -> None:
        def work(session: Session) -> None:
            row = self._owned(session, person, job_id, lock=True)
            if not JobState(row.state).final:
                raise Conflict(not_over())
            row.removed_at = self._clock.now()
            self._changed(session, row)

        write(self._engine, work)

    def queue(self, person: Person, limit: int = 50) -> Sequence[Job]:
        return read(
            self._engine,
            lambda session: [job_of(row) for row in order.active(session, person, limit)],
        )

    def ended(
        self,
        person: Person,
        states: Collection[JobState] = FINAL_STATES,
        before: Job | None = None,
        limit: int = 20,
    ) -> Sequence[Job]:
        query = order.ended(person, states, before, limit)
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def drafts(self, person: Person, limit: int) -> Sequence[Job]:
        query = order.drafts(person, limit)
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def move(self, person: Person, job_id: str, before: str | None) -> None:
        def work(session: Session) -> None:
            row = self._owned(session, person, job_id, lock=True)
            target = self._owned(session, person, before, lock=True) if before else None
            for each in (row, target):
                if each is not None and each.state != JobState.QUEUED:
                    raise Conflict(not_waiting())
            for moved in order.move(session, row, target):
                self._changed(session, moved)

        write(self._engine, work)

    def pause(self, person: Person, job_id: str, *, paused: bool) -> None:
        def work(session: Session) -> None:
            row = self._owned(session, person, job_id, lock=True)
            if row.state != JobState.QUEUED:
                raise Conflict(not_waiting())
            self._hold(session, row, HoldReason.PAUSED if paused else HoldReason.NONE)

        write(self._engine, work)

    def pause_queue(self, person: Person, *, paused: bool) -> None:
        def work(session: Session) -> None:
            row = session.get(PersonRow, person.id, with_for_update=True)
            if row is not None and row.paused != paused:
                row.paused = paused
                session.add(row)
                changed(session)

        write(self._engine, work)

    def is_queue_paused(self, person: Person) -> bool:
        def work(session: Session) -> bool:
            row = session.get(PersonRow, person.id)
            return row is not None and row.paused

        return read(self._engine, work)

    # The tailer's side

    def changed(self, after: int) -> Sequence[Job]:
        query = (
            select(JobRow)
            .where(JobRow.revision > after)
            .order_by(col(JobRow.revision))
            .limit(MOST_CHANGES)
        )
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def latest_revision(self) -> Revision:
        def work(session: Session) -> Revision:
            return Revision(value_of(session, REVISION), value_of(session, LISTS))

        return read(self._engine, work)

    # The dispatcher's side

    def candidates(self, per_person: int = CANDIDATES_PER_PERSON) -> Sequence[Job]:
        def work(session: Session) -> Sequence[Job]:
            return [job_of(row) for row in order.candidates(session, per_person)]

        return read(self._engine, work)

    def served(self) -> Mapping[str, int]:
        query = select(PersonRow.id, PersonRow.served)
        return read(self._engine, lambda session: dict(session.exec(query).all()))

    def running(self) -> Sequence[Job]:
        query = select(JobRow).where(JobRow.state == str(JobState.RUNNING))
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def ended_in_series(self, person: Person, series: str) -> int:
        return read(self._engine, lambda session: order.ended_in_series(session, person, series))

    def unfinished_latents(self) -> Collection[str]:
        return read(self._engine, order.unfinished_latents)

    def cancelling(self) -> Sequence[Job]:
        wished = col(JobRow.cancel_requested).is_(True)
        query = select(JobRow).where(JobRow.state == order.RUNNING, wished)
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def hold(self, job: Job, reason: HoldReason) -> None:
        def work(session: Session) -> None:
            row = session.get(JobRow, job.id, with_for_update=True)
            # Compare and set: a pause that came in between is the person's word and stays.
            if row is None or row.state != JobState.QUEUED or row.hold != job.hold:
                return
            self._hold(session, row, reason)

        write(self._engine, work)

    def claim(self, job: Job, plan: MemoryPlan) -> Job | None:
        def work(session: Session) -> Job | None:
            row = session.get(JobRow, job.id, with_for_update=True)
            fresh = row is not None and row.state == JobState.QUEUED and row.epoch == job.epoch
            if row is None or not fresh or row.cancel_requested or order.is_paused(session, row):
                return None
            row.state, row.hold, row.progress = str(JobState.RUNNING), "", None
            row.epoch, row.attempts = row.epoch + 1, row.attempts + 1
            row.plan = plan.model_dump_json()
            owner = session.get_one(PersonRow, row.owner)
            owner.served = next_value(session, SERVED)
            row.started_at = self._clock.now()
            again = f" Attempt {row.attempts}." if row.attempts > 1 else ""
            place = "the processor" if plan.device == "cpu" else plan.device
            tell(session, self._clock, row, "started", f"Started on {place}.{again}")
            return job_of(self._changed(session, row))

        return write(self._engine, work)

    def record(self, job_id: str, epoch: int, progress: Progress) -> bool:
        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            before = Progress.model_validate_json(row.progress) if row.progress else None
            row.progress = progress.model_dump_json()
            if before is None or before.stage is not progress.stage:
                tell(session, self._clock, row, "stage", STAGE_TEXTS[progress.stage])
                self._changed(session, row)
                return True
            # A step alone changes no list: pages need not read theirs again four times a second.
            row.revision = next_value(session, REVISION)
            session.add(row)
            return True

        return write(self._engine, work)

    def note(self, job_id: str, epoch: int, kind: str, text: str) -> bool:
        def change(session: Session, row: JobRow) -> None:
            tell(session, self._clock, row, kind, text)

        return self._change_run(job_id, epoch, change)

    def succeed(self, job_id: str, epoch: int, output: Output) -> bool:
        def change(session: Session, row: JobRow) -> None:
            session.add(row_of(output))
            self._succeeded(session, row, "Finished")

        return self._change_run(job_id, epoch, change)

    def draft(self, job_id: str, epoch: int) -> bool:
        def change(session: Session, row: JobRow) -> None:
            self._succeeded(session, row, f"Draft of {row.until} steps finished")

        return self._change_run(job_id, epoch, change)

    def end(self, job_id: str, epoch: int, state: JobState, problem: Problem | None = None) -> bool:
        def change(session: Session, row: JobRow) -> None:
            self._finish(session, row, state, problem)

        return self._change_run(job_id, epoch, change)

    def refuse(self, job_id: str, problem: Problem) -> None:
        def work(session: Session) -> None:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is not None and row.state == JobState.QUEUED:
                self._finish(session, row, JobState.FAILED, problem)
                self._changed(session, row)

        write(self._engine, work)

    def wish_free_card(self) -> None:
        write(self._engine, lambda session: next_value(session, FREE_CARD))

    def free_card_wishes(self) -> int:
        return read(self._engine, lambda session: value_of(session, FREE_CARD))

    def requeue(
        self,
        job_id: str,
        epoch: int,
        why: Problem,
        *,
        count_attempt: bool = True,
        relief: Relief | None = None,
        lighter: GenerationRequest | None = None,
    ) -> bool:
        def change(session: Session, row: JobRow) -> None:
            if lighter is not None:
                row.asked, row.request = row.asked or row.request, lighter.model_dump_json()
            row.state, row.progress, row.started_at = str(JobState.QUEUED), None, None
            row.attempts -= 0 if count_attempt else 1
            row.relief = row.relief if relief is None else relief.model_dump_json()
            tell(session, self._clock, row, "requeued", "Put back into the queue.", why)
            if row.cancel_requested:
                self._finish(session, row, JobState.CANCELLED, None)

        return self._change_run(job_id, epoch, change)

    def _change_run(
        self, job_id: str, epoch: int, change: Callable[[Session, JobRow], None]
    ) -> bool:
        """One transaction on the row of a run that lists show; False when its epoch is over."""

        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            change(session, row)
            self._changed(session, row)
            return True

        return write(self._engine, work)

    # Shared steps, each inside the caller's transaction

    def _insert(self, session: Session, person: Person, new: NewJob) -> JobRow:
        number, job_id = next_value(session, NUMBER), self._secrets.new_id()
        row = new_row(new, person.id, job_id, number, self._clock.now())
        session.add(row)
        session.flush()
        tell(session, self._clock, row, "queued", new.told)
        for moved in order.to_front(session, row) if new.first else ():
            self._changed(session, moved)
        return self._changed(session, row)

    def _waiting(self, session: Session, person: Person) -> int:
        return session.exec(
            select(func.count()).where(
                JobRow.owner == person.id, JobRow.state == str(JobState.QUEUED)
            )
        ).one()

    def _owned(
        self, session: Session, person: Person, job_id: str, *, lock: bool = False
    ) -> JobRow:
        """The person's row; a change takes ``lock``, lest a claim in between be overwritten."""
        row = session.get(JobRow, job_id, with_for_update=lock or None)
        if row is None or row.owner != person.id or row.removed_at is not None:
            raise NotFound(Problem(code="no_such_job", what="There is no such job."))
        return row

    def _fenced(self, session: Session, job_id: str, epoch: int) -> JobRow | None:
        """The row if this epoch still runs: a stale owner's result must change nothing."""
        row = session.get(JobRow, job_id, with_for_update=True)
        if row is None or row.epoch != epoch or row.state != JobState.RUNNING:
            return None
        return row

    def _succeeded(self, session: Session, row: JobRow, how: str) -> None:
        took = self._clock.now() - (row.started_at or row.created_at)
        seconds = max(took.total_seconds(), 0.0)
        tell(session, self._clock, row, "succeeded", f"{how} after {seconds:.1f} s.")
        self._finish(session, row, JobState.SUCCEEDED, None)

    def _finish(
        self, session: Session, row: JobRow, state: JobState, problem: Problem | None
    ) -> None:
        if state not in FINAL_STATES:
            raise ValueError(f"{state} is not final")
        row.state, row.finished_at, row.hold = str(state), self._clock.now(), ""
        row.problem = problem.model_dump_json() if problem else None
        if state in END_TEXTS:
            tell(session, self._clock, row, str(state), END_TEXTS[state], problem)

    def _changed(self, session: Session, row: JobRow) -> JobRow:
        row.revision = changed(session)
        session.add(row)
        session.flush()
        return row

    def _hold(self, session: Session, row: JobRow, reason: HoldReason) -> None:
        if row.hold == reason:
            return
        row.hold = str(reason)
        tell(session, self._clock, row, "hold", HOLD_TEXTS[reason])
        self._changed(session, row)
