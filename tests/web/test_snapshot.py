"""What one person sees: the job on the stage, and what stops the queue."""

from pathlib import Path

from tests.values import a_request
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.locks import ask_to_drain, end_drain
from wan22_app.bootstrap import build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import HoldReason
from wan22_app.ports import NewJob
from wan22_app.settings import Settings
from wan22_app.web.snapshot import blocked, focus_of, plots
from wan22_app.web.views import JobView

RUNS = JobView(id="runs")
NEXT = JobView(id="next")
PAUSED = JobView(id="paused", paused=True)
DONE = JobView(id="done")


def test_a_running_job_stands_before_all_others() -> None:
    assert focus_of([RUNS], [NEXT], [DONE]) == RUNS


def test_a_waiting_job_stands_before_what_has_ended() -> None:
    assert focus_of([], [PAUSED, NEXT], [DONE]) == NEXT


def test_a_paused_job_does_not_hide_the_newest_video() -> None:
    assert focus_of([], [PAUSED], [DONE]) == DONE


def test_a_paused_job_is_shown_when_there_is_nothing_else() -> None:
    assert focus_of([], [PAUSED], []) == PAUSED
    assert focus_of([], [], []) == JobView()


def test_a_queue_that_drains_says_so_until_it_is_started_again(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("data", "outputs", "models", "loras")}
    app = build_services(Settings.model_validate(places))
    migrate(app.settings.database)

    def codes() -> list[str]:
        return [warning.code for warning in plots(app, LOCAL_PERSON).warnings]

    assert "draining" not in codes()
    ask_to_drain(app.settings.locks)
    assert "draining" in codes()
    end_drain(app.settings.locks)
    assert "draining" not in codes()


def test_a_queue_without_room_says_so_once(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("data", "outputs", "models", "loras")}
    app = build_services(Settings.model_validate(places))
    migrate(app.settings.database)
    jobs = [
        app.jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key=key), 10) for key in ("1", "2")
    ]
    app.jobs.hold(jobs[0], HoldReason.WEIGHTS)
    assert blocked(app.queue.active(LOCAL_PERSON)) == []
    for job in app.queue.active(LOCAL_PERSON):
        app.jobs.hold(job, HoldReason.SPACE)
    assert [view.code for view in blocked(app.queue.active(LOCAL_PERSON))] == ["no_space"]
