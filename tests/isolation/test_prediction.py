"""What a run is said to take, and what it takes: the real engine, seen from outside."""

import pytest

from tests.isolation.conftest import state, until
from tests.values import a_request
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.adapters.locks import Attachment, ensure_dispatcher
from wan22_app.adapters.system import SystemClock
from wan22_app.bootstrap import Services, computing_versions
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_T2V
from wan22_app.domain.job import JobState
from wan22_app.domain.measured import HEAP_BYTES, Measured
from wan22_app.domain.plan import MemoryPlan
from wan22_app.ports import NewJob
from wan22_app.services.planning import Planning
from wan22_app.settings import Settings

WITHIN = 1.08


@pytest.mark.slow
def test_arithmetic_is_an_upper_bound_and_one_job_makes_it_exact(
    app: Services, settings: Settings
) -> None:
    """On the processor the peak is that of main memory, by far the most of it libraries."""
    with Attachment(settings.locks):
        ensure_dispatcher(settings.locks, settings.logs)
        guess, first = plan_and_figures(app, settings, "a red ball")
        told, second = plan_and_figures(app, settings, "a blue ball")
    assert (guess.calibrated, told.calibrated) == (False, True)
    assert guess.peak_ram_bytes >= first.peak_ram
    assert second.peak_ram <= told.peak_ram_bytes <= WITHIN * first.peak_ram + HEAP_BYTES
    assert told.peak_ram_bytes < guess.peak_ram_bytes
    assert set(told.seconds) == set(first.rates)


def plan_and_figures(app: Services, settings: Settings, prompt: str) -> tuple[MemoryPlan, Measured]:
    """Run a job to its video: its plan, and what it took."""
    request = a_request(width=192, height=192, frames=17, steps=4, prompt=prompt)
    job = app.jobs.add(LOCAL_PERSON, NewJob(request=request, key=prompt), 10)
    until(lambda: state(app, job).final, "the video")
    assert state(app, job) is JobState.SUCCEEDED
    # What the run took is kept between the job's end and the removal of its latents.
    until(lambda: not list(settings.latents.glob(f"{job.latents_id}*")), "the latents' removal")
    plan = app.queue.get(LOCAL_PERSON, job.id).plan
    assert plan is not None
    experience = SqlExperienceStore(create_engine(settings.database), SystemClock())
    [newest] = Planning(app.probe, experience, computing_versions()).machine(DEMO_T2V).learned
    return plan, newest
