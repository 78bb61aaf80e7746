"""The form's list of LoRAs: one added, made stronger, used in part, taken off."""

from dataclasses import dataclass

import reflex as rx

from wan22_app.domain import loras
from wan22_app.domain.fields import MAX_LORAS
from wan22_app.web.security import Policy, policy

LONGEST_STRENGTH = 12


@dataclass(frozen=True)
class LoraRow:
    """A chosen LoRA as the form shows it; ``strength`` as it was typed."""

    name: str = ""
    strength: str = ""
    partly: bool = False

    def line(self) -> str:
        """The row as the form's text holds it."""
        return f"{self.name}:{self.strength}" + (f":{loras.PARTLY}" if self.partly else "")


class LoraList(rx.State, mixin=True):
    """The part of the form's state that concerns LoRAs. ``loras`` is the field itself: a text."""

    loras: str = ""
    lora_rows: list[LoraRow] = []
    lora_offers: list[str] = []
    part_asked: bool = False
    """A file on the list fits in part only."""

    @rx.event
    @policy(Policy.PERSON)
    async def add_lora(self, name: str) -> None:
        """Put one more on the list."""
        if name in self.lora_offers and len(self.lora_rows) < MAX_LORAS:
            await self._list_loras([*self.lora_rows, LoraRow(name, "1")])

    @rx.event
    @policy(Policy.PERSON)
    async def drop_lora(self, index: int) -> None:
        """Take one off."""
        await self._list_loras([row for at, row in enumerate(self.lora_rows) if at != index])

    @rx.event
    @policy(Policy.PERSON)
    async def strengthen(self, index: int, strength: str) -> None:
        """Change how much of one is used; the domain judges the number."""
        typed = "".join(str(strength).split())[:LONGEST_STRENGTH].replace(":", "")
        await self._change_lora(index, strength=typed)

    @rx.event
    @policy(Policy.PERSON)
    async def allow_part(self, index: int, allowed: bool) -> None:
        """Agree to use what fits of one, or take it back."""
        await self._change_lora(index, partly=allowed is True)

    async def _change_lora(self, index: int, **values: str | bool) -> None:
        rows = list(self.lora_rows)
        if index in range(len(rows)):
            rows[index] = LoraRow(**{**vars(rows[index]), **values})
            await self._list_loras(rows)

    async def _list_loras(self, rows: list[LoraRow]) -> None:
        self.loras = "\n".join(row.line() for row in rows)
        self._show_loras()
        await self._judge()

    def _show_loras(self) -> None:
        """The rows for the field's text, whoever filled it."""
        lines = [line for line in self.loras.splitlines() if line.strip()]
        rows = [LoraRow(*loras.split(line)) for line in lines[:MAX_LORAS]]
        if rows != self.lora_rows:
            self.lora_rows = rows

    async def _judge(self) -> None:
        """The form's own."""
        raise NotImplementedError
