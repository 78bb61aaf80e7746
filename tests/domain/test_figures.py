"""Plots and warnings out of samples."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wan22_app.domain.figures import GB, HOUR, Figures, hour, warnings

NOW = datetime(2026, 1, 1, 12, 0, 15, tzinfo=UTC)


def figures(seconds_ago: float = 0, **values: object) -> Figures:
    fields = {
        "at": NOW - timedelta(seconds=seconds_ago),
        "cpu_percent": 10.0,
        "ram_used": 8 * GB,
        "ram_total": 32 * GB,
        "disk_free": 500 * GB,
        "disk_total": 1000 * GB,
        **values,
    }
    return Figures.model_validate(fields)


@given(st.lists(st.floats(0, 5000), max_size=200))
def test_the_hour_never_has_more_than_its_points_and_none_outside(ages: list[float]) -> None:
    points = hour([figures(age) for age in ages], NOW)
    assert len(points) <= 121
    assert all(-60 <= point.minutes <= 0 for point in points)
    assert [p.minutes for p in points] == sorted({p.minutes for p in points})
    assert bool(points) == any(timedelta(seconds=age) < HOUR for age in ages)


def test_a_slot_shows_the_mean_load_and_the_worst_memory() -> None:
    samples = [
        figures(1, cpu_percent=10, ram_used=8 * GB, gpu_percent=50, vram_used=3 * GB,
                vram_total=16 * GB, disk_free=90 * GB),
        figures(2, cpu_percent=30, ram_used=9 * GB, gpu_percent=100, vram_used=15 * GB,
                vram_total=16 * GB, disk_free=80 * GB),
    ]  # fmt: skip
    (point,) = hour(samples, NOW)
    assert (point.cpu, point.gpu) == (20, 75)
    assert (point.ram, point.vram, point.disk) == (9 * GB, 15 * GB, 80 * GB)


def test_what_the_card_does_not_tell_is_nothing_and_not_zero() -> None:
    (point,) = hour([figures()], NOW)
    assert (point.gpu, point.vram) == (None, None)


def test_a_finished_slot_stays_as_it_is_while_time_goes_on() -> None:
    samples = [figures(age) for age in (40, 50, 60, 70)]
    early = {p.minutes: p for p in hour(samples, NOW)}
    later = {p.minutes + 0.5: p for p in hour(samples, NOW + timedelta(seconds=30))}
    assert early.keys() == later.keys()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"disk_free": 9 * GB}, "disk_low"),
        ({"ram_used": 31 * GB}, "ram_low"),
        ({"ram_total": 4 * GB, "ram_used": int(3.9 * GB)}, "ram_low"),
        ({"vram_used": int(15.9 * GB), "vram_total": 16 * GB}, "vram_low"),
    ],
)
def test_what_runs_out_is_said_with_a_cure(values: dict[str, object], code: str) -> None:
    (problem,) = warnings(figures(**values))
    assert (problem.code, bool(problem.cure), bool(problem.cause)) == (code, True, True)


def test_a_machine_with_room_warns_of_nothing() -> None:
    assert warnings(figures(vram_used=15 * GB, vram_total=16 * GB)) == []
