"""What was measured of a speed is kept by card and model."""

import pytest
from sqlalchemy.engine import Engine

from wan22_app.adapters.db.preferences import SqlSettingStore
from wan22_app.domain.plan import Device
from wan22_app.domain.speed import Measured
from wan22_app.services.quality import SETTING, Quality


@pytest.fixture
def on_card(database: Engine):
    """The service, asked on a machine with this card."""

    class Asked:
        def __init__(self, name: str):
            self._quality = Quality(SqlSettingStore(database))
            self._device = Device(kind="cuda", name=name)

        def measured(self, model: str) -> Measured:
            return self._quality.measured(self._device, model)

        def keep(self, model: str, found: Measured) -> None:
            self._quality.keep(self._device, model, found)

    return Asked


def test_each_card_and_model_has_its_own(on_card) -> None:
    on_card("A").keep("t2v-a14b", {"balanced": 41.5, "fast": 30.0})
    on_card("A").keep("ti2v-5b", {"balanced": 24.0})
    assert on_card("A").measured("t2v-a14b") == {"balanced": 41.5, "fast": 30.0}
    assert on_card("A").measured("ti2v-5b") == {"balanced": 24.0}
    assert on_card("B").measured("t2v-a14b") == {}
    assert on_card("A").measured("i2v-a14b") == {}
    on_card("A").keep("ti2v-5b", {"balanced": 27.0})
    assert on_card("A").measured("ti2v-5b") == {"balanced": 27.0}
    assert on_card("A").measured("t2v-a14b") == {"balanced": 41.5, "fast": 30.0}


@pytest.mark.parametrize("row", ["", "no JSON", '{"A": 3}', '{"A": {"t2v-a14b": {"warp": 1}}}'])
def test_a_row_that_cannot_be_read_counts_as_none(on_card, database: Engine, row: str) -> None:
    SqlSettingStore(database).put(SETTING, row)
    assert on_card("A").measured("t2v-a14b") == {}
    on_card("A").keep("t2v-a14b", {"fast": 30.0})
    assert on_card("A").measured("t2v-a14b") == {"fast": 30.0}
