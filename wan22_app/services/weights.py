"""Which models are here, and bringing those that are not."""

from collections.abc import Sequence

from wan22_app.domain.account import Person
from wan22_app.domain.catalog import ModelEntry
from wan22_app.domain.download import Download
from wan22_app.domain.errors import Conflict, ModelUnavailable, Problem
from wan22_app.domain.values import Value
from wan22_app.ports import Bell, DownloadStore, Library


class Shelf(Value):
    """A model, its weights on this machine, and the newest download of them."""

    entry: ModelEntry
    download: Download | None = None


class Weights:
    """Wishes for weights; the dispatcher grants them. Weights are everybody's."""

    def __init__(self, downloads: DownloadStore, library: Library, bell: Bell):
        self._downloads = downloads
        self._library = library
        self._bell = bell

    def shelves(self, person: Person) -> Sequence[Shelf]:
        """Every model, in the library's order."""
        del person  # everybody may look
        newest = {download.model: download for download in self._downloads.latest()}
        return [
            Shelf(entry=entry, download=newest.get(entry.spec.key))
            for entry in self._library.entries()
        ]

    def get(self, person: Person, key: str) -> Download:
        """Ask for a model's weights; a second wish joins the first. Also the way to try again.

        Raises ModelUnavailable for a model that no hub has, Conflict when it is here already.
        """
        entry = self._library.entry(key)
        if entry.ready:
            raise Conflict(_here(entry))
        if not entry.spec.repo:
            raise ModelUnavailable(_homeless(entry))
        download = self._downloads.request(person, key)
        self._bell.ring()
        return download

    def look(self, person: Person, download_id: str) -> Download:
        """Raises NotFound for a stranger's download as for none."""
        return self._downloads.get(person, download_id)

    def cancel(self, person: Person, download_id: str) -> Download:
        """Stop one's own download; what has come stays for the next time."""
        download = self._downloads.request_cancel(person, download_id)
        self._bell.ring()
        return download

    def on_their_way(self, key: str) -> bool:
        """Whether a job for this model may wait for its weights."""
        return self._downloads.is_wanted(key)


def _here(entry: ModelEntry) -> Problem:
    return Problem(
        code="weights_here",
        what=f"{entry.spec.name} is here already.",
        cure=f"It lies in {entry.folder}.",
        field="model",
    )


def _homeless(entry: ModelEntry) -> Problem:
    return Problem(
        code="weights_homeless",
        what=f"{entry.spec.name} cannot be fetched: no hub has it.",
        cure=entry.cure or "Put its folder under models/ by hand.",
        field="model",
    )
