"""The queue's order: who may be next, what waits where, and how a person changes it."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from wan22_app.adapters.db.tables import DRAFT, JobRow, PersonRow
from wan22_app.domain.account import Person
from wan22_app.domain.job import HoldReason, Job, JobState

QUEUED, RUNNING = str(JobState.QUEUED), str(JobState.RUNNING)


def candidates(session: Session, per_person: int) -> Sequence[JobRow]:
    """The first waiting jobs of everybody whose queue is not paused, in order.

    Counted apart for each reason to wait: however many are held, one that could start is seen. A
    look for each person and reason, each along the index, costs the same however many wait; a rank
    over all of them does not.
    """
    people = session.exec(select(PersonRow.id).where(col(PersonRow.paused).is_(False))).all()
    found: list[JobRow] = []
    for person in people:
        for reason in HoldReason:
            query = (
                select(JobRow)
                .where(JobRow.state == QUEUED, JobRow.owner == person, JobRow.hold == str(reason))
                .order_by(col(JobRow.place))
                .limit(per_person)
            )
            found += session.exec(query)
    return sorted(found, key=lambda row: row.place)


def active(session: Session, person: Person, limit: int) -> Sequence[JobRow]:
    """What runs, then what waits in its order."""
    mine = select(JobRow).where(JobRow.owner == person.id).order_by(col(JobRow.place))
    running = session.exec(mine.where(JobRow.state == RUNNING).limit(limit)).all()
    left = limit - len(running)
    return [*running, *session.exec(mine.where(JobRow.state == QUEUED).limit(left))]


def ended(
    person: Person, states: Collection[JobState], before: Job | None, limit: int
) -> SelectOfScalar[JobRow]:
    """Ended jobs, the last to end first; ``before`` is the last one seen."""
    finished, number = col(JobRow.finished_at), col(JobRow.number)
    query = select(JobRow).where(
        JobRow.owner == person.id,
        col(JobRow.removed_at).is_(None),
        col(JobRow.state).in_([str(state) for state in states]),
    )
    if before is not None and before.finished_at is not None:
        # Two jobs may end in the same moment: the number decides, or a page would lose one.
        same = and_(finished == before.finished_at, number < before.number)
        query = query.where(or_(finished < before.finished_at, same))
    return query.order_by(finished.desc(), number.desc()).limit(limit)


def drafts(person: Person, limit: int) -> SelectOfScalar[JobRow]:
    """Drafts at their last step, the newest first."""
    query = ended(person, [JobState.SUCCEEDED], None, limit)
    return query.where(DRAFT)


def is_paused(session: Session, row: JobRow) -> bool:
    """The job's own pause, or that of its person's whole queue."""
    owner = session.get(PersonRow, row.owner)
    return row.hold == HoldReason.PAUSED or (owner is not None and owner.paused)


def unfinished_latents(session: Session) -> set[str]:
    """Under which names jobs that are not over keep their latents, paused ones included."""
    query = select(JobRow.id, JobRow.latents_of).where(col(JobRow.state).in_([QUEUED, RUNNING]))
    return {other or own for own, other in session.exec(query)}


def ended_in_series(session: Session, person: Person, series: str) -> int:
    """How many ended jobs have keys that begin so, removed ones included."""
    query = select(func.count()).where(
        JobRow.owner == person.id,
        col(JobRow.key).startswith(series, autoescape=True),
        col(JobRow.state).not_in([QUEUED, RUNNING]),
    )
    return session.exec(query).one()


def to_front(session: Session, row: JobRow) -> Sequence[JobRow]:
    """Put a waiting job before all others of the same person; returns what changed."""
    return move(session, row, session.exec(_own_waiting(row).limit(1)).first())


def move(session: Session, row: JobRow, before: JobRow | None) -> Sequence[JobRow]:
    """Put a waiting job before another of the same person, or last; returns what changed.

    The person's jobs share out the places that they hold already, so nobody else's job moves.
    """
    if before is not None and before.id == row.id:
        return []
    waiting = list(session.exec(_own_waiting(row).with_for_update()))
    places = [each.place for each in waiting]
    order = [each for each in waiting if each.id != row.id]
    position = len(order) if before is None else [each.id for each in order].index(before.id)
    order.insert(position, row)
    moved = [
        (each, place) for each, place in zip(order, places, strict=True) if each.place != place
    ]
    for each, place in moved:
        each.place = place
    return [each for each, _ in moved]


def _own_waiting(row: JobRow) -> SelectOfScalar[JobRow]:
    """The waiting jobs of the row's person in their order."""
    own = select(JobRow).where(JobRow.owner == row.owner, JobRow.state == QUEUED)
    return own.order_by(col(JobRow.place))
