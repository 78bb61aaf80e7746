"""How near the lossy speeds come to Exact on this machine's card, as measured there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from wan22_app.domain.plan import Device
from wan22_app.domain.speed import Measured
from wan22_app.ports import SettingStore

SETTING = "quality"
_KNOWN: TypeAdapter[dict[str, dict[str, Measured]]] = TypeAdapter(dict[str, dict[str, Measured]])


@dataclass(frozen=True)
class Quality:
    """Keeps what ``python -m benchmarks.quality --keep`` has measured, by card and model."""

    settings: SettingStore

    def measured(self, device: Device, model: str) -> Measured:
        """PSNR in dB of each speed that was measured for a model on a card."""
        return self._known().get(device.name, {}).get(model, {})

    def keep(self, device: Device, model: str, found: Measured) -> None:
        """Keep it in place of what was measured before."""
        known, name = self._known(), device.name
        changed: Mapping[str, object] = {**known, name: {**known.get(name, {}), model: found}}
        self.settings.put(SETTING, json.dumps(changed))

    def _known(self) -> dict[str, dict[str, Measured]]:
        try:
            return _KNOWN.validate_json(self.settings.get(SETTING) or "{}")
        except ValidationError:
            return {}
