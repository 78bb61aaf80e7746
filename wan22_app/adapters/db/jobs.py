"""The queue in SQL. Every public method is one transaction."""

from collections.abc import Collection, Sequence

from sqlalchemy import func
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.rows import event_of, job_of, row_of
from wan22_app.adapters.db.tables import CounterRow, JobEventRow, JobRow, PersonRow
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Conflict, NotFound, Problem, QuotaReached
from wan22_app.domain.job import (
    FINAL_STATES,
    HoldReason,
    Job,
    JobEvent,
    JobState,
    Progress,
)
from wan22_app.domain.memory import MemoryPlan
from wan22_app.domain.output import Output
from wan22_app.ports import Clock, NewJob, Secrets

CANDIDATES_PER_PERSON = 32
MOST_CHANGES = 500
FREE_CARD = "free_card"
STAGE_TEXTS = {
    "loading": "Loading the model.",
    "text": "Reading the prompt.",
    "image": "Reading the image.",
    "denoising": "Denoising.",
    "decoding": "Decoding the picture.",
    "encoding": "Writing the video.",
}
HOLD_TEXTS = {
    HoldReason.NONE: "Waits no longer.",
    HoldReason.PAUSED: "Paused.",
    HoldReason.WEIGHTS: "Waits for the weights of its model.",
    HoldReason.SPACE: "Waits for room in the outputs folder.",
}
END_TEXTS = {
    JobState.FAILED: "Failed.",
    JobState.CANCELLED: "Cancelled.",
    JobState.QUARANTINED: "Set aside after too many crashes.",
}


class SqlJobStore:
    """JobStore over SQLAlchemy."""

    def __init__(self, engine: Engine, clock: Clock, secrets: Secrets):
        self._engine = engine
        self._clock = clock
        self._secrets = secrets

    # People's side

    def add(self, person: Person, new: NewJob, most_waiting: int) -> Job:
        def work(session: Session) -> Job:
            # One submission of a person at a time, where the database lets writers overlap: two
            # clicks must find each other's row, and two tabs must not both take the last place.
            session.get(PersonRow, person.id, with_for_update=True)
            twin = session.exec(
                select(JobRow).where(JobRow.owner == person.id, JobRow.key == new.key)
            ).first()
            if twin is not None:
                return job_of(twin)
            if self._waiting(session, person) >= most_waiting:
                raise QuotaReached(_too_many(most_waiting))
            return job_of(self._insert(session, person, new))

        return write(self._engine, work)

    def get(self, person: Person, job_id: str) -> Job:
        return read(self._engine, lambda session: job_of(self._owned(session, person, job_id)))

    def page(
        self,
        person: Person,
        states: Collection[JobState] = (),
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Job]:
        query = select(JobRow).where(JobRow.owner == person.id, col(JobRow.removed_at).is_(None))
        if states:
            query = query.where(col(JobRow.state).in_([str(state) for state in states]))
        if before is not None:
            query = query.where(JobRow.number < before)
        query = query.order_by(col(JobRow.number).desc()).limit(limit)
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

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
                raise Conflict(_already_over())
            row.cancel_requested = True
            if row.state == JobState.QUEUED:
                self._finish(session, row, JobState.CANCELLED, None)
            return job_of(self._changed(session, row))

        return write(self._engine, work)

    def remove(self, person: Person, job_id: str) -> None:
        def work(session: Session) -> None:
            row = self._owned(session, person, job_id, lock=True)
            if not JobState(row.state).final:
                raise Conflict(_not_over())
            row.removed_at = self._clock.now()
            self._changed(session, row)

        write(self._engine, work)

    # The tailer's side

    def changed(self, after: int) -> Sequence[Job]:
        query = (
            select(JobRow)
            .where(JobRow.revision > after)
            .order_by(col(JobRow.revision))
            .limit(MOST_CHANGES)
        )
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def latest_revision(self) -> int:
        query = select(CounterRow.value).where(CounterRow.name == "revision")
        return read(self._engine, lambda session: session.exec(query).first() or 0)

    # The dispatcher's side

    def candidates(self) -> Sequence[Job]:
        rank = (
            func.row_number()
            .over(partition_by=col(JobRow.owner), order_by=col(JobRow.number))
            .label("rank")
        )
        ranked = select(col(JobRow.id), rank).where(JobRow.state == str(JobState.QUEUED)).subquery()
        query = (
            select(JobRow)
            .join(ranked, ranked.c.id == JobRow.id)
            .where(ranked.c.rank <= CANDIDATES_PER_PERSON)
            .order_by(col(JobRow.number))
        )
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def waiting_ahead(self, job: Job) -> int:
        query = select(func.count()).where(
            JobRow.state == str(JobState.QUEUED), JobRow.number < job.number
        )
        return read(self._engine, lambda session: session.exec(query).one())

    def running(self) -> Sequence[Job]:
        query = select(JobRow).where(JobRow.state == str(JobState.RUNNING))
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def cancelling(self) -> Sequence[Job]:
        query = select(JobRow).where(
            JobRow.state == str(JobState.RUNNING), col(JobRow.cancel_requested).is_(True)
        )
        return read(self._engine, lambda session: [job_of(row) for row in session.exec(query)])

    def hold(self, job_id: str, reason: HoldReason) -> None:
        def work(session: Session) -> None:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None or row.state != JobState.QUEUED or row.hold == reason:
                return
            row.hold = str(reason)
            self._tell(session, row, "hold", HOLD_TEXTS[reason])
            self._changed(session, row)

        write(self._engine, work)

    def claim(self, job: Job, plan: MemoryPlan) -> Job | None:
        def work(session: Session) -> Job | None:
            row = session.get(JobRow, job.id, with_for_update=True)
            fresh = row is not None and row.state == JobState.QUEUED and row.epoch == job.epoch
            if row is None or not fresh or row.cancel_requested:
                return None
            row.state, row.hold, row.progress = str(JobState.RUNNING), "", None
            row.epoch, row.attempts = row.epoch + 1, row.attempts + 1
            row.plan = plan.model_dump_json()
            row.started_at = self._clock.now()
            again = f" Attempt {row.attempts}." if row.attempts > 1 else ""
            self._tell(session, row, "started", f"Started on {plan.device}.{again}")
            return job_of(self._changed(session, row))

        return write(self._engine, work)

    def record(self, job_id: str, epoch: int, progress: Progress) -> bool:
        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            before = Progress.model_validate_json(row.progress) if row.progress else None
            if before is None or before.stage is not progress.stage:
                self._tell(session, row, "stage", STAGE_TEXTS[progress.stage])
            row.progress = progress.model_dump_json()
            self._changed(session, row)
            return True

        return write(self._engine, work)

    def succeed(self, job_id: str, epoch: int, output: Output) -> bool:
        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            session.add(row_of(output))
            seconds = sum(output.seconds.values())
            self._tell(session, row, "succeeded", f"Finished after {seconds:.1f} s.")
            self._finish(session, row, JobState.SUCCEEDED, None)
            self._changed(session, row)
            return True

        return write(self._engine, work)

    def end(self, job_id: str, epoch: int, state: JobState, problem: Problem | None = None) -> bool:
        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            self._finish(session, row, state, problem)
            self._changed(session, row)
            return True

        return write(self._engine, work)

    def refuse(self, job_id: str, problem: Problem) -> None:
        def work(session: Session) -> None:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is not None and row.state == JobState.QUEUED:
                self._finish(session, row, JobState.FAILED, problem)
                self._changed(session, row)

        write(self._engine, work)

    def wish_free_card(self) -> None:
        write(self._engine, lambda session: _next(session, FREE_CARD))

    def free_card_wishes(self) -> int:
        query = select(CounterRow.value).where(CounterRow.name == FREE_CARD)
        return read(self._engine, lambda session: session.exec(query).first() or 0)

    def requeue(self, job_id: str, epoch: int, why: Problem, *, count_attempt: bool = True) -> bool:
        def work(session: Session) -> bool:
            row = self._fenced(session, job_id, epoch)
            if row is None:
                return False
            row.state, row.progress, row.started_at = str(JobState.QUEUED), None, None
            row.attempts -= 0 if count_attempt else 1
            self._tell(session, row, "requeued", "Put back into the queue.", why)
            if row.cancel_requested:
                self._finish(session, row, JobState.CANCELLED, None)
            self._changed(session, row)
            return True

        return write(self._engine, work)

    # Shared steps, each inside the caller's transaction

    def _insert(self, session: Session, person: Person, new: NewJob) -> JobRow:
        row = JobRow(
            id=self._secrets.new_id(),
            number=_next(session, "number"),
            owner=person.id,
            key=new.key,
            request=new.request.model_dump_json(),
            state=str(JobState.QUEUED),
            parent_id=new.parent_id,
            created_at=self._clock.now(),
        )
        session.add(row)
        session.flush()
        self._tell(session, row, "queued", "Queued.")
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

    def _finish(
        self, session: Session, row: JobRow, state: JobState, problem: Problem | None
    ) -> None:
        if state not in FINAL_STATES:
            raise ValueError(f"{state} is not final")
        row.state, row.finished_at, row.hold = str(state), self._clock.now(), ""
        row.problem = problem.model_dump_json() if problem else None
        if state in END_TEXTS:
            self._tell(session, row, str(state), END_TEXTS[state], problem)

    def _changed(self, session: Session, row: JobRow) -> JobRow:
        row.revision = _next(session, "revision")
        session.add(row)
        session.flush()
        return row

    def _tell(
        self,
        session: Session,
        row: JobRow,
        kind: str,
        text: str,
        problem: Problem | None = None,
    ) -> None:
        session.add(
            JobEventRow(
                job_id=row.id,
                at=self._clock.now(),
                kind=kind,
                text=text,
                problem=problem.model_dump_json() if problem else None,
            )
        )


def _next(session: Session, counter: str) -> int:
    """The counter's next value; the row lock of the update orders all writers."""
    row = session.get(CounterRow, counter, with_for_update=True)
    if row is None:
        row = CounterRow(name=counter)
        session.add(row)
    row.value += 1
    session.flush()
    return row.value


def _too_many(most: int) -> Problem:
    return Problem(
        code="quota_reached",
        what=f"You have {most} jobs waiting, which is the most allowed.",
        cure="Cancel one, or wait until one has started.",
    )


def _already_over() -> Problem:
    return Problem(code="already_over", what="This job has already ended.")


def _not_over() -> Problem:
    return Problem(code="not_over", what="This job has not ended yet.", cure="Cancel it first.")
