"""Rows of downloads. Every public method is one transaction."""

from collections.abc import Sequence

from sqlalchemy.engine import Engine
from sqlmodel import Session, col, select

from wan22_app.adapters.db.counters import LISTS, REVISION, changed, next_value
from wan22_app.adapters.db.engine import read, write
from wan22_app.adapters.db.rows import job_of
from wan22_app.adapters.db.story import tell
from wan22_app.adapters.db.tables import DownloadRow, JobRow
from wan22_app.domain.account import Person
from wan22_app.domain.download import (
    ACTIVE_STATES,
    LONGEST_BACKOFF,
    MAX_ATTEMPTS,
    Amount,
    Download,
    DownloadState,
    backoff,
)
from wan22_app.domain.errors import Conflict, NotFound, Problem
from wan22_app.domain.job import JobState
from wan22_app.ports import Clock, Secrets

ACTIVE = [str(state) for state in ACTIVE_STATES]
STORIES = {
    DownloadState.FAILED: "Its weights did not arrive. It waits until they do.",
    DownloadState.CANCELLED: "Fetching its weights was cancelled. It waits until they come.",
}
"""Told to the jobs that wait for a download which ended without weights."""


class SqlDownloadStore:
    """DownloadStore over SQLAlchemy."""

    def __init__(self, engine: Engine, clock: Clock, secrets: Secrets):
        self._engine = engine
        self._clock = clock
        self._secrets = secrets

    # People's side

    def request(self, person: Person, model: str) -> Download:
        def work(session: Session) -> Download:
            # The counter's row lock orders all writers: two clicks must find each other's row.
            next_value(session, LISTS)
            active = select(DownloadRow).where(
                DownloadRow.model == model, col(DownloadRow.state).in_(ACTIVE)
            )
            row = session.exec(active).first()
            if row is not None:
                return download_of(row)
            row = DownloadRow(
                id=self._secrets.new_id(),
                owner=person.id,
                model=model,
                state=str(DownloadState.WAITING),
                created_at=self._clock.now(),
            )
            session.add(row)
            changed(session)
            return download_of(row)

        return write(self._engine, work)

    def get(self, person: Person, download_id: str) -> Download:
        return read(self._engine, lambda session: download_of(_owned(session, person, download_id)))

    def latest(self) -> Sequence[Download]:
        # One that waits or runs is the newest, whatever the clock said when it was asked for.
        query = select(DownloadRow).order_by(
            col(DownloadRow.state).in_(ACTIVE), col(DownloadRow.created_at)
        )

        def work(session: Session) -> Sequence[Download]:
            newest = {row.model: row for row in session.exec(query)}
            return [download_of(row) for row in newest.values()]

        return read(self._engine, work)

    def is_wanted(self, model: str) -> bool:
        query = select(DownloadRow.id).where(
            DownloadRow.model == model, col(DownloadRow.state).in_(ACTIVE)
        )
        return read(self._engine, lambda session: session.exec(query).first() is not None)

    def request_cancel(self, person: Person, download_id: str) -> Download:
        def work(session: Session) -> Download:
            row = _owned(session, person, download_id)
            if DownloadState(row.state).final:
                raise Conflict(_already_over())
            row.cancel_requested = True
            if row.state == DownloadState.WAITING:
                self._finish(session, row, DownloadState.CANCELLED, None)
            return download_of(_changed(session, row))

        return write(self._engine, work)

    # The dispatcher's side

    def running(self) -> Sequence[Download]:
        query = select(DownloadRow).where(DownloadRow.state == str(DownloadState.RUNNING))
        return read(self._engine, lambda session: [download_of(row) for row in session.exec(query)])

    def claim_next(self) -> Download | None:
        now, retry_at = self._clock.now(), col(DownloadRow.retry_at)
        due = (
            select(DownloadRow)
            .where(
                DownloadRow.state == str(DownloadState.WAITING),
                # Further away than any wait: the clock was put back.
                retry_at.is_(None) | (retry_at <= now) | (retry_at > now + LONGEST_BACKOFF),
            )
            .order_by(col(DownloadRow.created_at))
            .limit(1)
        )
        # Looked at once a second for ever: without a due row it must not take the write lock.
        if read(self._engine, lambda session: session.exec(due).first() is None):
            return None

        def work(session: Session) -> Download | None:
            row = session.exec(due.with_for_update()).first()
            if row is None:
                return None
            row.state, row.retry_at = str(DownloadState.RUNNING), None
            row.attempts, row.bytes_per_second = row.attempts + 1, 0.0
            return download_of(_changed(session, row))

        return write(self._engine, work)

    def put_back(self, download_id: str, why: Problem | None) -> None:
        def work(session: Session) -> None:
            row = session.get(DownloadRow, download_id, with_for_update=True)
            if row is None or row.state != DownloadState.RUNNING:
                return
            row.bytes_per_second = 0.0
            if row.cancel_requested:
                self._finish(session, row, DownloadState.CANCELLED, None)
            elif why is None:
                row.state, row.attempts = str(DownloadState.WAITING), max(0, row.attempts - 1)
            elif row.attempts >= MAX_ATTEMPTS:
                self._finish(session, row, DownloadState.FAILED, why)
            else:
                row.state, row.problem = str(DownloadState.WAITING), why.model_dump_json()
                row.retry_at = self._clock.now() + backoff(row.attempts)
            _changed(session, row)

        write(self._engine, work)

    def end(self, download_id: str, state: DownloadState, problem: Problem | None = None) -> None:
        def work(session: Session) -> None:
            row = session.get(DownloadRow, download_id, with_for_update=True)
            if row is None or row.state != DownloadState.RUNNING:
                return
            self._finish(session, row, state, problem)
            _changed(session, row)

        write(self._engine, work)

    # The downloader's side

    def record(self, download_id: str, amount: Amount) -> bool:
        def work(session: Session) -> bool:
            row = session.get(DownloadRow, download_id, with_for_update=True)
            if row is None or row.state != DownloadState.RUNNING or row.cancel_requested:
                return False
            if amount.done > row.done_bytes:
                # It moves: whatever ended the starts before is over.
                row.attempts, row.problem = 1, None
            row.done_bytes, row.total_bytes = amount.done, amount.total
            row.bytes_per_second = amount.per_second
            session.add(row)
            next_value(session, REVISION)
            return True

        return write(self._engine, work)

    def _finish(
        self, session: Session, row: DownloadRow, state: DownloadState, problem: Problem | None
    ) -> None:
        row.state, row.finished_at = str(state), self._clock.now()
        row.problem = problem.model_dump_json() if problem else None
        row.bytes_per_second, row.retry_at = 0.0, None
        if state in STORIES:
            self._tell_waiting(session, row.model, STORIES[state], problem)

    def _tell_waiting(
        self, session: Session, model: str, text: str, problem: Problem | None
    ) -> None:
        """A line in the story of every job that waits for these weights: none is lost."""
        queued = select(JobRow).where(JobRow.state == str(JobState.QUEUED))
        for job in session.exec(queued).all():
            if job_of(job).request.model == model:
                tell(session, self._clock, job, "weights", text, problem)
                job.revision = next_value(session, REVISION)
                session.add(job)


def download_of(row: DownloadRow) -> Download:
    """The domain value of a row."""
    problem = Problem.model_validate_json(row.problem) if row.problem else None
    return Download.model_validate({**row.model_dump(), "problem": problem})


def _changed(session: Session, row: DownloadRow) -> DownloadRow:
    session.add(row)
    changed(session)
    return row


def _owned(session: Session, person: Person, download_id: str) -> DownloadRow:
    row = session.get(DownloadRow, download_id, with_for_update=True)
    if row is None or row.owner != person.id:
        raise NotFound(Problem(code="no_such_download", what="There is no such download."))
    return row


def _already_over() -> Problem:
    return Problem(
        code="already_over",
        what="This download has already ended.",
        cure="Look at the models again.",
    )
