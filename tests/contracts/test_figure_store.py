"""What a FigureStore promises."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from tests.conftest import SetClock
from tests.fakes import FakeProbe
from wan22_app.adapters.db.figures import SqlFigureStore
from wan22_app.services.monitoring import Monitoring


@pytest.fixture
def store(database: Engine) -> SqlFigureStore:
    return SqlFigureStore(database)


@pytest.fixture
def monitoring(store: SqlFigureStore, clock: SetClock) -> Monitoring:
    return Monitoring(FakeProbe(), store, clock)


def test_samples_come_back_as_they_were_in_order(
    monitoring: Monitoring, store: SqlFigureStore, clock: SetClock
) -> None:
    assert monitoring.latest() is None
    for _ in range(3):
        monitoring.sample()
        clock.advance(5)
    samples = monitoring.hour()
    assert [sample.at for sample in samples] == sorted(sample.at for sample in samples)
    assert len(samples) == 3
    assert monitoring.latest() == samples[-1]
    assert (samples[0].gpu_percent, samples[0].vram_used) == (None, None)
    assert samples[0].ram_used == 4 * 10**9


def test_only_an_hour_is_kept(
    monitoring: Monitoring, store: SqlFigureStore, clock: SetClock
) -> None:
    monitoring.sample()
    clock.advance(1800)
    monitoring.sample()
    clock.advance(1801)
    assert len(monitoring.hour()) == 1
    monitoring.sample()
    assert len(store.since(clock.now() - timedelta(days=1))) == 2


def test_samples_of_a_clock_that_was_ahead_are_forgotten(
    monitoring: Monitoring, store: SqlFigureStore, clock: SetClock
) -> None:
    clock.advance(86_400)
    monitoring.sample()
    clock.advance(-86_400)
    monitoring.sample()
    latest = monitoring.latest()
    assert latest is not None
    assert latest.at <= clock.now()
    assert len(monitoring.hour()) == 1
