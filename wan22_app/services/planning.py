"""The memory plan of a request on this machine, with what the machine has learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.events import Done
from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.measured import Measured, measure
from wan22_app.domain.memory import Considered, consider, plan_memory, ram_budget
from wan22_app.domain.plan import Device, Host, MemoryPlan, WontFit
from wan22_app.ports import ExperienceStore, Probe

LONGEST = 80
"""Characters of a key in the database."""


class Machine(NamedTuple):
    """What a plan depends on beside model and request, as the plan's functions take it."""

    device: Device
    host: Host
    learned: Sequence[Measured]


@dataclass(frozen=True)
class Planning:
    """Asks the probe and the experience; the decisions are those of ``domain.memory``."""

    probe: Probe
    experience: ExperienceStore
    versions: str
    """Of the app and of the libraries that compute."""

    def machine(self, spec: ModelSpec) -> Machine:
        """This machine, as far as it matters for runs of a model."""
        device = self.probe.device()
        learned = self.experience.measured(spec.key, device.name, self._software(device))
        return Machine(device, self.probe.host(), learned)

    def plan(self, spec: ModelSpec, request: GenerationRequest) -> MemoryPlan | WontFit:
        """How it would be placed now."""
        return plan_memory(spec, request, *self.machine(spec))

    def consider(self, spec: ModelSpec, request: GenerationRequest) -> Sequence[Considered]:
        """All ways to place it, with what speaks against each."""
        return consider(spec, request, *self.machine(spec))

    def learn(
        self, spec: ModelSpec, request: GenerationRequest, plan: MemoryPlan, done: Done
    ) -> None:
        """Keep what a run took. One that did not do everything itself tells too little."""
        if not done.complete:
            return
        device, host, known = self.machine(spec)
        software = self._software(device)
        took = measure(spec, request, plan, device, ram_budget(host), done, software)
        self.experience.keep(took.after(known))

    def _software(self, device: Device) -> str:
        return f"{device.driver} {self.versions}".strip()[:LONGEST]
