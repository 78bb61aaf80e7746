"""What a model's card says in each state, and the one thing it offers."""

from datetime import UTC, datetime, timedelta

import pytest

from wan22_app.domain.catalog import (
    DEMO_T2V,
    REAL_SPECS,
    TI2V_5B,
    ModelEntry,
    ModelSpec,
    WeightsState,
)
from wan22_app.domain.download import Download, DownloadState
from wan22_app.domain.errors import Problem
from wan22_app.domain.needs import needs
from wan22_app.services.weights import Shelf
from wan22_app.web.model_cards import ModelCard, amount, model_cards
from wan22_app.web.verdict import VerdictView, without_weights

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHY = Problem(
    code="x", what="The hub is down.", cause="It broke.", cure="Wait.", evidence="HTTP 503"
)


def entry(state: WeightsState = WeightsState.MISSING, spec: ModelSpec = TI2V_5B) -> ModelEntry:
    return ModelEntry(
        spec=spec, state=state, bytes=24_200_000_000, problem="Not here.", cure="Get."
    )


def download(state: DownloadState, **values: object) -> Download:
    fields = {"id": "d", "owner": "local", "model": "ti2v-5b", "created_at": NOW, **values}
    return Download.model_validate({**fields, "state": state})


def card(shelved: ModelEntry, fetched: Download | None = None) -> ModelCard:
    (only,) = model_cards([Shelf(entry=shelved, download=fetched)], NOW)
    return only


def test_a_missing_model_says_its_size_and_offers_to_get_it() -> None:
    seen = card(entry())
    assert (seen.state, seen.action, seen.size) == ("missing", "get", "about 24 GB to fetch")
    assert "GB on the card" in seen.needs
    assert seen.repo == TI2V_5B.repo


def test_a_ready_model_offers_nothing_whatever_came_before() -> None:
    ready = entry(WeightsState.READY)
    failed = download(DownloadState.FAILED, problem=WHY)
    for seen in (card(ready), card(ready, failed)):
        assert (seen.state, seen.action, seen.moving) == ("ready", "", False)
        assert seen.size == "24 GB on the disk"


def test_a_demo_model_cannot_be_fetched() -> None:
    assert card(entry(spec=DEMO_T2V)).action == ""


def test_a_download_says_how_far_how_fast_and_how_long() -> None:
    seen = card(
        entry(),
        download(
            DownloadState.RUNNING, done_bytes=3_100_000_000, total_bytes=24_000_000_000,
            bytes_per_second=48_000_000.0,
        ),
    )  # fmt: skip
    assert seen.progress == "3.1 of 24 GB, 48 MB/s, about 7 min left"
    assert (seen.percent, seen.action, seen.moving) == (12, "cancel", True)


def test_a_waiting_download_says_why_and_when() -> None:
    later = NOW + timedelta(seconds=60)
    seen = card(entry(), download(DownloadState.WAITING, problem=WHY, retry_at=later))
    assert seen.progress == "Trying again in about 60 s"
    assert (seen.what, seen.cure, seen.action) == (WHY.what, WHY.cure, "cancel")


def test_a_failed_download_says_the_cure_and_offers_another_try() -> None:
    seen = card(entry(), download(DownloadState.FAILED, problem=WHY))
    assert (seen.what, seen.cause, seen.cure, seen.evidence, seen.action) == (
        WHY.what, WHY.cause, WHY.cure, WHY.evidence, "retry",
    )  # fmt: skip
    assert not seen.moving


def test_a_cancelled_download_says_what_is_kept() -> None:
    seen = card(entry(), download(DownloadState.CANCELLED, done_bytes=2_100_000_000))
    assert seen.cure.startswith("2.1 GB came before and are kept.")
    assert seen.action == "retry"


def test_a_cancel_is_offered_once() -> None:
    seen = card(entry(), download(DownloadState.RUNNING, cancel_requested=True))
    assert (seen.action, seen.progress) == ("", "Cancelling")


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 3_400_000, "0.0 of 3.4 MB"),
        (1_000_000, 3_400_000, "1.0 of 3.4 MB"),
        (69_000_000_000, 69_000_000_000, "69.0 of 69 GB"),
        (0, 500, "0.00 of 0.0 MB"),
    ],
)
def test_amounts_keep_the_unit_of_the_whole(done: int, total: int, text: str) -> None:
    assert amount(done, total, of=True) == text


@pytest.mark.parametrize("spec", REAL_SPECS, ids=lambda spec: spec.key)
def test_what_a_model_needs_is_plausible(spec: ModelSpec) -> None:
    wanted = needs(spec)
    assert 4e9 < wanted.vram < 30e9
    assert wanted.ram > max(spec.costs.transformer_bytes, spec.costs.text_bytes)


def test_a_form_may_be_sent_for_weights_on_their_way_only() -> None:
    fits = VerdictView("ok", "Runs here.")
    assert without_weights(fits, "Missing.", coming=False) == VerdictView("bad", "Missing.")
    coming = without_weights(fits, "Missing.", coming=True)
    assert coming.level == "ok"
    assert "on their way" in coming.text
    wrong = VerdictView("bad", "Fix it.")
    assert without_weights(wrong, "Missing.", coming=True) == wrong
