"""The machine's page when a folder has gone while the app runs."""

import asyncio
from pathlib import Path

import pytest

from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import build_services
from wan22_app.settings import Settings
from wan22_app.web import words
from wan22_app.web.state import machine
from wan22_app.web.state.machine import MachineState


def test_a_folder_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    migrate(built.settings.database)
    monkeypatch.setattr(machine, "services", lambda: built)
    (tmp_path / "loras").rmdir()
    (tmp_path / "outputs" / ".staging").rmdir()
    (tmp_path / "outputs").rmdir()
    state = MachineState(_reflex_internal_init=True)  # type: ignore[call-arg]
    asyncio.run(MachineState.event_handlers["load"].fn(state))
    assert state.looked
    free = {folder["name"]: folder["free"] for folder in state.folders}
    assert free["Outputs"] == free["LoRAs"] == words.FOLDER_GONE
    assert "GB" in free["Data"]
    assert any(str(tmp_path / "outputs") in check["what"] for check in state.checks)
