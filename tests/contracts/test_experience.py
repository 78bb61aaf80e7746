"""What a machine learned about memory."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from tests.conftest import SetClock
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.domain.relief import Relief


@pytest.fixture
def experience(database: Engine, clock: SetClock) -> SqlExperienceStore:
    return SqlExperienceStore(database, clock)


def test_larger_videos_need_what_smaller_ones_needed(experience: SqlExperienceStore) -> None:
    experience.put("m", "card", 100, Relief(tile=128))
    experience.put("m", "card", 200, Relief(offload="model"))
    assert experience.needed("m", "card", 99) == Relief()
    assert experience.needed("m", "card", 100) == Relief(tile=128)
    assert experience.needed("m", "card", 900) == Relief(offload="model", tile=128)


def test_other_models_and_devices_are_strangers(experience: SqlExperienceStore) -> None:
    experience.put("m", "card", 100, Relief(tile=128))
    assert experience.needed("n", "card", 100) == Relief()
    assert experience.needed("m", "other", 100) == Relief()


def test_the_newest_word_on_a_size_counts_and_old_ones_fade(
    experience: SqlExperienceStore, clock: SetClock
) -> None:
    experience.put("m", "card", 100, Relief(tile=128))
    experience.put("m", "card", 100, Relief(tile=64))
    assert experience.needed("m", "card", 100) == Relief(tile=64)
    clock.time += timedelta(days=91)
    assert experience.needed("m", "card", 100) == Relief()
