"""How near the lossy speeds come to Exact on this machine's card, as measured there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from wan22_app.domain.attention import NATIVE
from wan22_app.domain.plan import Device
from wan22_app.domain.speed import UNMEASURED, Calibration
from wan22_app.ports import SettingStore

SETTING = "quality"
_KNOWN: TypeAdapter[dict[str, dict[str, Calibration]]] = TypeAdapter(
    dict[str, dict[str, Calibration]]
)


@dataclass(frozen=True)
class Quality:
    """Keeps what ``python -m benchmarks.quality --keep`` has found, by card and model."""

    settings: SettingStore

    def found(self, device: Device, model: str) -> Calibration:
        """What holds for a model on a card.

        Nothing, where that was measured with a way of attention that has not passed its trial since
        (another version, a package that is gone).
        """
        known = self._known().get(device.name, {}).get(model, UNMEASURED)
        usable = known.attention == NATIVE or known.attention in device.attention
        return known if usable else UNMEASURED

    def keep(self, device: Device, model: str, found: Calibration) -> None:
        """Keep it in place of what was found before."""
        known, name = self._known(), device.name
        changed: Mapping[str, Mapping[str, Calibration]] = {
            **known, name: {**known.get(name, {}), model: found}
        }  # fmt: skip
        plain = {
            card: {key: each.model_dump(mode="json") for key, each in models.items()}
            for card, models in changed.items()
        }
        self.settings.put(SETTING, json.dumps(plain))

    def _known(self) -> dict[str, dict[str, Calibration]]:
        try:
            return _KNOWN.validate_json(self.settings.get(SETTING) or "{}")
        except ValidationError:
            return {}
