"""Handlers of the models: wishes, and payloads that no page of ours would send."""

import asyncio
import math
from pathlib import Path

import pytest

from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import REAL_SPECS
from wan22_app.domain.download import DownloadState
from wan22_app.settings import Settings
from wan22_app.web import snapshot
from wan22_app.web.state import models
from wan22_app.web.state.models import ModelsState

STRANGE = [None, "", 0, -1, math.nan, True, [], {}, ["ti2v-5b"], {"key": "ti2v-5b"}, "x" * 10_000,
           "../../etc/passwd", "nonsense", "\x00"]  # fmt: skip


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    migrate(built.settings.database)
    monkeypatch.setattr(models, "services", lambda: built)
    return built


def call(handler: str, payload: object) -> object:
    state = ModelsState(_reflex_internal_init=True)  # type: ignore[call-arg]
    return asyncio.run(getattr(ModelsState, handler).fn(state, payload))


def test_a_wish_is_seen_by_the_cards_and_can_be_taken_back(app: Services) -> None:
    assert call("fetch_model", "ti2v-5b")
    (card,) = [c for c in snapshot.take(app, LOCAL_PERSON).models if c.moving]
    assert (card.key, card.action, card.progress) == (
        "ti2v-5b", "cancel", "It starts as soon as the queue looks.",
    )  # fmt: skip
    call("cancel_fetch", card.download_id)
    assert app.weights.look(LOCAL_PERSON, card.download_id).state is DownloadState.CANCELLED
    cards = {c.key: c.action for c in snapshot.take(app, LOCAL_PERSON).models}
    assert cards["ti2v-5b"] == "retry"
    assert {cards[spec.key] for spec in REAL_SPECS} == {"retry", "get"}


@pytest.mark.parametrize("handler", ["fetch_model", "cancel_fetch"])
@pytest.mark.parametrize("payload", STRANGE, ids=repr)
def test_strange_payloads_change_nothing(app: Services, handler: str, payload: object) -> None:
    call(handler, payload)
    assert [shelf for shelf in app.weights.shelves(LOCAL_PERSON) if shelf.download] == []
