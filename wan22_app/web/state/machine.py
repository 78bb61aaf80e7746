"""What this machine has and lacks."""

import asyncio

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.web import choices, words
from wan22_app.web.choices import ModelView
from wan22_app.web.security import Policy, policy


class MachineState(rx.State):
    """The doctor's report and the models."""

    checks: list[dict[str, str]] = []
    models: list[ModelView] = []
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
        self.models = [choices.model_view(entry) for entry in entries]
        self.looked = True
