"""Numbers that only grow.

``REVISION`` moves with every change that a page may show, ``LISTS`` with those that change more
than how far a run or a download is.
"""

from sqlmodel import Session, select

from wan22_app.adapters.db.tables import CounterRow

NUMBER = "number"
REVISION = "revision"
LISTS = "lists"
FREE_CARD = "free_card"
SERVED = "served"


def next_value(session: Session, counter: str) -> int:
    """The counter's next value; the row lock of the update orders all writers."""
    row = session.get(CounterRow, counter, with_for_update=True)
    if row is None:
        row = CounterRow(name=counter)
        session.add(row)
    row.value += 1
    session.flush()
    return row.value


def changed(session: Session) -> int:
    """Something that lists show has changed; returns the new revision."""
    next_value(session, LISTS)
    return next_value(session, REVISION)


def value_of(session: Session, counter: str) -> int:
    """The last value given out, 0 before the first."""
    query = select(CounterRow.value).where(CounterRow.name == counter)
    return session.exec(query).first() or 0
