"""What this machine has, what it lacks, and what to do about that."""

from collections.abc import Callable, Iterable, Sequence

from wan22_app.domain.catalog import ModelEntry, WeightsState
from wan22_app.domain.errors import UserError
from wan22_app.domain.health import Check
from wan22_app.domain.plan import Device, Host
from wan22_app.ports import Library, OutputFiles, Probe

GB = 1000**3
SMALL_RAM = 16 * GB

Inspection = Callable[[], Iterable[Check]]


class Doctor:
    """Looks at everything anew each time it is asked; never raises for what it finds."""

    def __init__(
        self,
        probe: Probe,
        library: Library,
        files: OutputFiles,
        inspections: Sequence[Inspection],
    ):
        self._probe = probe
        self._library = library
        self._files = files
        self._inspections = inspections

    def report(self) -> Sequence[Check]:
        """All checks, in the order a person would read them."""
        return (
            device_check(self._probe.device()),
            host_check(self._probe.host()),
            self._outputs_check(),
            *(check for inspection in self._inspections for check in inspection()),
            *(weights_check(entry) for entry in self._library.entries()),
        )

    def _outputs_check(self) -> Check:
        try:
            self._files.check_writable()
        except UserError as error:
            problem = error.problem
            return Check(name="Outputs", level="bad", what=problem.what, cure=problem.cure)
        return Check(name="Outputs", level="ok", what="Videos can be stored.")


def device_check(device: Device) -> Check:
    """Which card runs the models."""
    if device.kind == "cpu":
        return Check(
            name="Card",
            level="note",
            what=f"No NVIDIA card was found; {device.name} computes.",
            cure="The demo models run here. The real ones need an NVIDIA card and its driver.",
        )
    memory = f"{device.free_bytes / GB:.1f} of {device.total_bytes / GB:.1f} GB free"
    return Check(name="Card", level="ok", what=f"{device.name}, {memory}.")


def host_check(host: Host) -> Check:
    """Main memory and cores."""
    what = (
        f"{host.available_bytes / GB:.1f} of {host.total_bytes / GB:.1f} GB main memory free, "
        f"{host.cores} cores."
    )
    if host.total_bytes < SMALL_RAM:
        cure = "The real models want 32 GB or more; the demo models are content."
        return Check(name="Memory", level="note", what=what, cure=cure)
    return Check(name="Memory", level="ok", what=what)


def weights_check(entry: ModelEntry) -> Check:
    """Whether a model can run."""
    if entry.ready:
        return Check(name=entry.spec.name, level="ok", what=f"Ready in {entry.folder}.")
    level = "note" if entry.state is WeightsState.MISSING else "bad"
    return Check(name=entry.spec.name, level=level, what=entry.problem, cure=entry.cure)
