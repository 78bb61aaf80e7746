"""What this machine has and lacks."""

import asyncio
import shutil
from pathlib import Path

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.web import words
from wan22_app.web.security import Policy, policy


class MachineState(rx.State):
    """The doctor's report; the models are live."""

    checks: list[dict[str, str]] = []
    folders: list[dict[str, str]] = []
    looked: bool = False

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Look anew each time the page is opened."""
        report = await asyncio.to_thread(services().doctor.report)
        entries = await asyncio.to_thread(services().library.entries)
        names = {entry.spec.name for entry in entries}
        self.checks = [
            {**check.model_dump(), "state": words.LEVELS[check.level]}
            for check in report
            if check.name not in names
        ]
        self.folders = await asyncio.to_thread(_folders)
        self.looked = True


def _folders() -> list[dict[str, str]]:
    """The folders in force and the room on their disks."""
    settings = services().settings
    places = {
        "Outputs": settings.outputs,
        "Models": settings.models,
        "LoRAs": settings.loras,
        "Data": settings.data,
    }
    return [
        {
            "name": name,
            "path": str(path),
            "free": _room(path),
        }
        for name, path in places.items()
    ]


def _room(folder: Path) -> str:
    """The free space of a folder's disk; a folder may go while the app runs."""
    try:
        return words.FREE.format(free=shutil.disk_usage(folder).free / 1e9)
    except OSError:
        return words.FOLDER_GONE
