"""Defaults for everybody, presets for each, and what each choice costs on this machine."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelSpec, Quantization, TextQuantization
from wan22_app.domain.defaults import SETTING, GenerationDefaults
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import Considered, plan_memory
from wan22_app.domain.plan import MemoryPlan, WontFit
from wan22_app.domain.preset import MOST_PRESETS, Preset, kept
from wan22_app.domain.quantization import device_refusal
from wan22_app.domain.values import Value
from wan22_app.ports import PresetStore, Secrets, SettingStore
from wan22_app.services.planning import Machine, Planning

QUANTIZATION = "quantization"
CHOICES: Mapping[str, Sequence[Any]] = {
    "precision": (None, "bf16", "fp16", "fp32"),
    "vae_precision": ("fp32", "bf16"),
    QUANTIZATION: get_args(Quantization),
    "text_quantization": get_args(TextQuantization),
    "offload": ("auto", "none", "model", "block"),
    "keep": ("auto", "all", "one"),
    "tile": ("auto", 128, 256, 512),
    "chunk": ("auto", 512, 2048),
    "may_reduce": (False, True),
}
"""What the page offers for each default; None is the model's own precision."""


class Price(Value):
    """What one choice would need with everything else as it is."""

    field: str
    choice: str
    chosen: bool
    plan: MemoryPlan | None = None
    wont_fit: WontFit | None = None


class Preferences:
    """Reads and changes what was chosen once and for all."""

    def __init__(
        self, settings: SettingStore, presets: PresetStore, planning: Planning, secrets: Secrets
    ):
        self._settings = settings
        self._presets = presets
        self._planning = planning
        self._secrets = secrets

    def defaults(self) -> GenerationDefaults:
        """The defaults in force. A row that an older version cannot read counts as none."""
        stored = self._settings.get(SETTING)
        if stored is None:
            return GenerationDefaults()
        try:
            return GenerationDefaults.model_validate_json(stored)
        except ValidationError:
            return GenerationDefaults()

    def change_default(self, person: Person, field: str, choice: str) -> GenerationDefaults:
        """Set one default for everybody. Raises InvalidRequest for what is not offered."""
        del person  # with one person there is nobody to ask for permission
        value = next((c for c in CHOICES.get(field, ()) if str(c or "") == choice), _ABSENT)
        if value is _ABSENT:
            raise InvalidRequest(_not_offered(field, choice))
        changed = self.defaults().model_copy(update={field: value})
        self._settings.put(SETTING, changed.model_dump_json())
        return changed

    def prices(self, spec: ModelSpec) -> Sequence[Price]:
        """What each offered choice needs for this model's default video on this machine.

        What its card or processor cannot compute is left out.
        """
        defaults, machine = self.defaults(), self._planning.machine(spec)
        return [
            _price(spec, defaults, machine, field, value)
            for field, values in CHOICES.items()
            for value in values
            if field != QUANTIZATION or device_refusal(value, machine.device) is None
        ]

    def ways(self, spec: ModelSpec) -> Sequence[Considered]:
        """How this model's default video can be placed on this machine, fastest first."""
        return self._planning.consider(spec, _sample(spec, self.defaults()))

    def presets(self, person: Person) -> Sequence[Preset]:
        """The person's presets by name."""
        return self._presets.all(person)

    def save_preset(self, person: Person, name: str, fields: Mapping[str, object]) -> Preset:
        """Keep a form under a name. Raises InvalidRequest for a bad name, QuotaReached."""
        try:
            preset = Preset(
                id=self._secrets.new_id(), owner=person.id, name=name, fields=kept(fields)
            )
        except ValidationError:
            raise InvalidRequest(_bad_name()) from None
        self._presets.put(preset, MOST_PRESETS)
        return preset

    def remove_preset(self, person: Person, preset_id: str) -> None:
        """Forget one; nothing happens when it is gone already."""
        self._presets.remove(person, preset_id)


_ABSENT = object()


def _price(
    spec: ModelSpec, defaults: GenerationDefaults, machine: Machine, field: str, value: object
) -> Price:
    changed = defaults.model_copy(update={field: value})
    plan = plan_memory(spec, _sample(spec, changed), *machine)
    return Price(
        field=field,
        choice=str(value or ""),
        chosen=getattr(defaults, field) == value,
        plan=plan if isinstance(plan, MemoryPlan) else None,
        wont_fit=plan if isinstance(plan, WontFit) else None,
    )


def _sample(spec: ModelSpec, defaults: GenerationDefaults) -> GenerationRequest:
    """The model's default video; only its size and the placement matter, not what it shows."""
    image = {"sha256": "0" * 64, "width": 64, "height": 64}
    start = {"image": image} if spec.image == "required" else {}
    fields = {"prompt": spec.name, **defaults.fields(spec), **start}
    return GenerationRequest.build(spec, fields, seed=0)


def _not_offered(field: str, choice: str) -> Problem:
    return Problem(
        code="not_offered",
        what=f"“{choice[:40]}” is not offered for {field[:40]}.",
        cure="Choose one of those shown.",
    )


def _bad_name() -> Problem:
    return Problem(
        code="bad_preset_name",
        what="A preset needs a name of 1 to 60 characters.",
        cure="Type a short name.",
        field="preset_name",
    )
