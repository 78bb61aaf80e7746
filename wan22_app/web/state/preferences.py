"""Defaults with their prices, and the person's presets."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.errors import UserError
from wan22_app.domain.memory import Considered
from wan22_app.domain.plan import CHUNK
from wan22_app.domain.preset import Preset
from wan22_app.services.preferences import Price
from wan22_app.web import words
from wan22_app.web.live import Follower
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.form import FormState
from wan22_app.web.verdict import price_text, way_text
from wan22_app.web.views import model_name

PAGES = ("/optimizations", "")


@dataclass(frozen=True)
class ChoiceView:
    """One choice, what it does, and what it costs here."""

    value: str = ""
    label: str = ""
    hint: str = ""
    cost: str = ""
    fits: bool = True
    chosen: bool = False


@dataclass(frozen=True)
class ChoiceGroup:
    """The choices of one default."""

    name: str = ""
    label: str = ""
    choices: list[ChoiceView] = field(default_factory=list)


@dataclass(frozen=True)
class WayView:
    """One way to place a run, and what becomes of it here."""

    label: str = ""
    text: str = ""
    against: str = ""


@dataclass(frozen=True)
class PresetView:
    """A preset in a list."""

    id: str = ""
    name: str = ""
    facts: str = ""


def groups(prices: Sequence[Price], entry: ModelEntry, card: bool) -> list[ChoiceGroup]:
    """Prices in the order in which the page shows them."""
    found: dict[str, list[ChoiceView]] = {}
    chosen = {price.field: price.plan for price in prices if price.chosen}
    for price in prices:
        label, hint = words.CHOICES[price.field][price.choice]
        found.setdefault(price.field, []).append(
            ChoiceView(
                value=price.choice,
                label=label.format(own=entry.spec.precision),
                hint=hint,
                cost=price_text(price, chosen[price.field], card=card),
                fits=price.wont_fit is None,
                chosen=price.chosen,
            )
        )
    return [ChoiceGroup(name, words.CHOICE_GROUPS[name], each) for name, each in found.items()]


def way_view(way: Considered, *, card: bool) -> WayView:
    """One line of the memory plan."""
    label = words.PLACED[way.plan.offload, way.plan.keep]
    if way.plan.chunk < CHUNK:
        label = words.IN_CHUNKS.format(label=label, chunk=way.plan.chunk)
    return WayView(label, way_text(way, card=card), way.against)


def preset_view(preset: Preset) -> PresetView:
    """Model, size and steps are what people tell presets apart by."""
    values = preset.fields
    size = "×".join(filter(None, [values.get("width"), values.get("height")]))
    steps = words.STEPS_COUNT.format(count=values["steps"]) if "steps" in values else ""
    facts = [model_name(values.get("model", "")), size, steps]
    return PresetView(preset.id, preset.name, " · ".join(filter(None, facts)))


class PreferenceState(Follower, rx.State):
    """One tab's view of what was chosen once and for all."""

    models: list[dict[str, str]] = []
    compared: str = ""
    groups: list[ChoiceGroup] = []
    ways: list[WayView] = []
    presets: list[PresetView] = []
    name: str = ""
    problem: str = ""

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """Compare with the first model that runs here."""
        await self._read()

    async def _catch_up(self) -> None:
        """Another tab has changed a default or a preset."""
        if self.router.url.path.rstrip("/") in PAGES:
            await self._read()

    @rx.event
    @policy(Policy.PERSON)
    async def compare_with(self, key: str) -> None:
        """Show the prices for another model."""
        if str(key) in [model["key"] for model in self.models]:
            self.compared = str(key)
            await self._read()

    @rx.event
    @policy(Policy.PERSON)
    async def choose(self, name: str, choice: str) -> Any:
        """Change a default for everybody."""
        try:
            await asyncio.to_thread(
                services().preferences.change_default, person_of(self), str(name), str(choice)
            )
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        await self._read()
        return rx.toast.success(words.SAVED)

    @rx.event
    @policy(Policy.PERSON)
    def type_name(self, name: str) -> None:
        """The name under which the form will be kept."""
        self.name, self.problem = str(name)[:80], ""

    @rx.event
    @policy(Policy.PERSON)
    async def save(self) -> Any:
        """Keep the form as a preset."""
        form = await self.get_state(FormState)
        try:
            await asyncio.to_thread(
                services().preferences.save_preset, person_of(self), self.name, form._fields()
            )
        except UserError as error:
            self.problem = error.problem.sentence()
            return None
        self.name = ""
        await self._read()
        return rx.toast.success(words.PRESET_SAVED)

    @rx.event
    @policy(Policy.PERSON)
    async def apply(self, preset_id: str) -> Any:
        """Fill the form from a preset; prompt, image and seed stay."""
        presets = await asyncio.to_thread(services().preferences.presets, person_of(self))
        preset = next((each for each in presets if each.id == preset_id), None)
        if preset is None:
            return None
        form = await self.get_state(FormState)
        await form._apply(preset.fields)
        return rx.toast.success(words.PRESET_APPLIED.format(name=preset.name))

    @rx.event
    @policy(Policy.PERSON)
    async def remove(self, preset_id: str) -> Any:
        """Forget a preset."""
        try:
            await asyncio.to_thread(
                services().preferences.remove_preset, person_of(self), str(preset_id)
            )
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        await self._read()
        return rx.toast.success(words.REMOVED)

    async def _read(self) -> None:
        app = services()
        entries = await asyncio.to_thread(app.library.entries)
        first = sorted(entries, key=lambda entry: not entry.ready)
        entry = next((e for e in first if e.spec.key == self.compared), first[0])
        ways = await asyncio.to_thread(app.preferences.ways, entry.spec)
        prices = await asyncio.to_thread(app.preferences.prices, entry.spec)
        card = (await asyncio.to_thread(app.probe.device)).kind != "cpu"
        presets = await asyncio.to_thread(app.preferences.presets, person_of(self))
        values = {
            "models": [{"key": e.spec.key, "name": e.spec.name} for e in first],
            "compared": entry.spec.key,
            "groups": groups(prices, entry, card),
            "ways": [way_view(way, card=card) for way in ways],
            "presets": [preset_view(preset) for preset in presets],
        }
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
