"""Who is next, and who after that."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence

from wan22_app.domain.job import HoldReason, Job

Served = Mapping[str, int]
"""Each person's last start as a growing number; who is not in it was never served."""


def pick_next(candidates: Sequence[Job], served: Served) -> Job | None:
    """The first ready job of whoever was served longest ago; None when all wait.

    Among people who were never served, the older job decides. With one person this is the queue's
    own order, and with k people waiting any k starts in a row serve all of them.
    """
    return min(filter(_is_ready, candidates), key=lambda job: _turn(job, served), default=None)


def in_turn(candidates: Sequence[Job], served: Served) -> Iterator[Job]:
    """The ready jobs in the order in which they will start, if nothing comes in between.

    Of each person the first ``n`` jobs must be there; behind them the order is not told any more.
    """
    queues, turns = _queues(candidates), dict(served)
    latest = max(turns.values(), default=0)
    while (job := pick_next([queue[0] for queue in queues.values()], turns)) is not None:
        yield job
        queues[job.owner].popleft()
        if not queues[job.owner]:
            del queues[job.owner]
        latest += 1
        turns[job.owner] = latest


def before_new(candidates: Sequence[Job], served: Served, owner: str) -> int:
    """How many jobs start before one that this person adds now.

    Before a person's n-th job everybody else has n turns, and whoever comes earlier in the round
    has one more.
    """
    queues = _queues(candidates)
    own = queues.pop(owner, deque[Job]())
    first = _turn(own[0], served) if own else (served.get(owner, 0), float("inf"))
    return len(own) + sum(
        min(len(queue), len(own) + (_turn(queue[0], served) < first)) for queue in queues.values()
    )


def _queues(candidates: Sequence[Job]) -> dict[str, deque[Job]]:
    queues: defaultdict[str, deque[Job]] = defaultdict(deque)
    for job in sorted(filter(_is_ready, candidates), key=lambda job: job.place):
        queues[job.owner].append(job)
    return dict(queues)


def _is_ready(job: Job) -> bool:
    return job.hold is HoldReason.NONE and not job.cancel_requested


def _turn(job: Job, served: Served) -> tuple[int, float]:
    return served.get(job.owner, 0), job.place
