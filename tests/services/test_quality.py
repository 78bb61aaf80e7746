"""What was found of the lossy speeds is kept by card and model."""

import pytest
from sqlalchemy.engine import Engine

from wan22_app.adapters.db.preferences import SqlSettingStore
from wan22_app.domain.plan import Device
from wan22_app.domain.speed import UNMEASURED, Calibration
from wan22_app.services.quality import SETTING, Quality

A, B = (Device(kind="cuda", name=name) for name in "AB")
GOOD = Calibration(step_cache=0.2, psnr={"balanced": 41.5, "fast": 30.0})
BAD = Calibration(psnr={"balanced": 24.0})


@pytest.fixture
def quality(database: Engine) -> Quality:
    return Quality(SqlSettingStore(database))


def test_each_card_and_model_has_its_own(quality: Quality) -> None:
    quality.keep(A, "t2v-a14b", GOOD)
    quality.keep(A, "ti2v-5b", BAD)
    assert quality.found(A, "t2v-a14b") == GOOD
    assert quality.found(A, "ti2v-5b") == BAD
    assert quality.found(B, "t2v-a14b") == UNMEASURED
    assert quality.found(A, "i2v-a14b") == UNMEASURED
    quality.keep(A, "ti2v-5b", GOOD)
    assert quality.found(A, "ti2v-5b") == GOOD


def test_what_was_measured_with_another_attention_vouches_for_nothing(quality: Quality) -> None:
    sage = GOOD.model_copy(update={"attention": "sage"})
    quality.keep(A, "t2v-a14b", sage)
    assert quality.found(A, "t2v-a14b") == UNMEASURED
    passed = A.model_copy(update={"attention": ("sage",)})
    assert quality.found(passed, "t2v-a14b") == sage


@pytest.mark.parametrize(
    "row", ["", "no JSON", '{"A": 3}', '{"A": {"t2v-a14b": {"balanced": 41.5}}}']
)
def test_a_row_that_cannot_be_read_counts_as_none(
    quality: Quality, database: Engine, row: str
) -> None:
    SqlSettingStore(database).put(SETTING, row)
    assert quality.found(A, "t2v-a14b") == UNMEASURED
    quality.keep(A, "t2v-a14b", GOOD)
    assert quality.found(A, "t2v-a14b") == GOOD
