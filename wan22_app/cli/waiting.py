"""A command waits for its job, with a bar, and for a dispatcher to be alive meanwhile."""

import sys
import time

from wan22_app.adapters.locks import Attachment, ensure_dispatcher
from wan22_app.bootstrap import Services
from wan22_app.cli.bar import Bar
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import Job

POLL_S = 0.1
ENSURE_S = 2.0


def wait(app: Services, job: Job) -> Job | None:
    """Follow the job to its end; None when Ctrl-C has cancelled it. The dispatcher ends after."""
    with Attachment(app.settings.locks):
        try:
            return _follow(app, job)
        except KeyboardInterrupt:
            app.queue.cancel(LOCAL_PERSON, job.id)
            _follow(app, job)
            return None


def _follow(app: Services, job: Job) -> Job:
    """To the end; starts a dispatcher whenever none is alive."""
    bar, looked = Bar(sys.stderr), float("-inf")
    while not job.state.final:
        if time.monotonic() - looked > ENSURE_S:
            ensure_dispatcher(app.settings.locks, app.settings.logs)
            looked = time.monotonic()
        bar.show(job)
        time.sleep(POLL_S)
        job = app.queue.get(LOCAL_PERSON, job.id)
    bar.close()
    return job
