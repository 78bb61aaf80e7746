"""What a machine learned about memory."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from tests.conftest import SetClock
from wan22_app.adapters.db.experience import SqlExperienceStore
from wan22_app.domain.measured import Measured
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


def measured(tokens: int, peak: int = 1, **other: str) -> Measured:
    return Measured(
        **{"model": "m", "device": "card", "software": "1", "setup": "bf16/none", **other},
        tokens=tokens, tile=None, chunk=8192, foreseen_vram=2, foreseen_ram=2, peak_vram=peak,
        peak_ram=1, there_vram=9, there_ram=9, rates={"denoising": 0.5},
    )  # fmt: skip


def test_runs_are_kept_by_their_size_and_the_newest_of_equal_ones_counts(
    experience: SqlExperienceStore, clock: SetClock
) -> None:
    for tokens, peak in ((100, 1), (200, 1), (100, 2)):
        experience.keep(measured(tokens, peak))
        clock.time += timedelta(seconds=1)
    found = experience.measured("m", "card", "1")
    assert found == [measured(100, 2), measured(200, 1)], "newest first"


@pytest.mark.parametrize("other", [{"model": "n"}, {"device": "d"}, {"software": "2"}])
def test_runs_of_others_teach_nothing(
    experience: SqlExperienceStore, other: dict[str, str]
) -> None:
    experience.keep(measured(100, **other))
    assert experience.measured("m", "card", "1") == []


def test_old_runs_fade(experience: SqlExperienceStore, clock: SetClock) -> None:
    experience.keep(measured(100))
    clock.time += timedelta(days=91)
    assert experience.measured("m", "card", "1") == []
