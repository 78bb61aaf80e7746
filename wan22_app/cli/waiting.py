"""A command waits for its row, with a bar, and for a dispatcher to be alive meanwhile."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from wan22_app.adapters.locks import Attachment, ensure_dispatcher
from wan22_app.bootstrap import Services
from wan22_app.cli.bar import Bar
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.download import Download
from wan22_app.domain.job import Job

POLL_S = 0.1
ENSURE_S = 2.0
Row = TypeVar("Row", Job, Download)


def wait(app: Services, job: Job) -> Job | None:
    """Follow the job to its end; None when Ctrl-C has cancelled it. The dispatcher ends after."""

    def look(job_id: str) -> Job:
        return app.queue.get(LOCAL_PERSON, job_id)

    bar = Bar(sys.stderr)
    with Attachment(app.settings.locks):
        try:
            return follow(app, job, look, bar, bar.show)
        except KeyboardInterrupt:
            app.queue.cancel(LOCAL_PERSON, job.id)
            follow(app, job, look, bar, bar.show)
            return None


def follow(
    app: Services,
    row: Row,
    look: Callable[[str], Row],
    bar: Bar,
    show: Callable[[Row], None],
) -> Row:
    """To the end; starts a dispatcher whenever none is alive."""
    looked = float("-inf")
    while not row.state.final:
        if time.monotonic() - looked > ENSURE_S:
            ensure_dispatcher(app.settings.locks, app.settings.logs)
            looked = time.monotonic()
        show(row)
        time.sleep(POLL_S)
        row = look(row.id)
    bar.close()
    return row
