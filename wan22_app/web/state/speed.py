"""The form's speed: Exact, a lossy one, or something of one's own."""

import asyncio
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain import speed
from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.plan import Device
from wan22_app.services.fitting import distilled
from wan22_app.web import words
from wan22_app.web.security import Policy, policy
from wan22_app.web.state.lora_list import LoraRow


class SpeedChoice(rx.State, mixin=True):
    """The part of the form's state that concerns its speed."""

    model: str = ""
    speed: str = ""
    speeds: list[str] = []
    """What this card can compute, and well enough."""
    speed_note: str = ""
    """What a lossy speed costs."""
    lacks_distilled: bool = False
    """Turbo without a LoRA that was taught its four steps."""
    lora_rows: list[LoraRow] = []
    lora_offers: list[str] = []

    @rx.event
    @policy(Policy.PERSON)
    async def choose_speed(self, name: str | list[str]) -> None:
        """Set what belongs to a speed, and its LoRA where just one fits."""
        wanted = next((key for key in speed.SPEEDS if words.SPEEDS[key] == name), None)
        if wanted is None:
            return
        rows = [row for row in self.lora_rows if not speed.is_distilled(row.name)]
        if wanted == "turbo":
            library, offers = services().library, list(self.lora_offers)
            entry = await asyncio.to_thread(library.entry, self.model)
            found = await asyncio.to_thread(distilled, library, entry, offers)
            rows = [*rows, LoraRow(found, "1")] if found else list(self.lora_rows)
        device = await asyncio.to_thread(services().probe.device)
        calibration = await asyncio.to_thread(services().quality.found, device, self.model)
        self._fill(speed.fields_of(self._spec(), wanted, calibration))
        await self._list_loras(rows)

    async def _mark_speed(self, fields: dict[str, str], device: Device) -> None:
        """Which speed the typed fields amount to, and which there are."""
        known = await asyncio.to_thread(services().quality.found, device, self.model)
        self.speeds = [words.SPEEDS[each] for each in speed.offered(self._spec(), device, known)]
        found = speed.speed_of(self._spec(), fields, known)
        self.speed_note = words.speed_note(found or "", known.psnr)
        self.speed = words.SPEEDS[found] if found else ""
        lacks = not any(speed.is_distilled(row.name) for row in self.lora_rows)
        self.lacks_distilled = found == "turbo" and lacks

    def _spec(self) -> ModelSpec:
        raise NotImplementedError

    def _fill(self, values: dict[str, str]) -> None:
        raise NotImplementedError

    async def _list_loras(self, rows: list[LoraRow]) -> Any:
        raise NotImplementedError
