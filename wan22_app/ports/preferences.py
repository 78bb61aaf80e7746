"""What services need from outside for what people have chosen once and for all."""

from collections.abc import Sequence
from typing import Protocol

from wan22_app.domain.account import Person
from wan22_app.domain.preset import Preset


class SettingStore(Protocol):
    """Settings that were changed on a page, by name; values are JSON texts."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, value: str) -> None: ...


class PresetStore(Protocol):
    """People's presets; each sees only their own."""

    def all(self, person: Person) -> Sequence[Preset]:
        """By name."""
        ...

    def put(self, preset: Preset, most: int) -> None:
        """Insert, or replace the person's preset of the same name. Raises QuotaReached."""
        ...

    def remove(self, person: Person, preset_id: str) -> None:
        """Nothing happens when it is gone already. Raises nothing for a stranger's either."""
        ...
