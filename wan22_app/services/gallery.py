"""Finished videos and their files: found, starred, put into the bin and taken out of it."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

from wan22_app.domain.account import Person
from wan22_app.domain.errors import NotFound, Problem
from wan22_app.domain.output import EVERYTHING, Output, OutputQuery, Place
from wan22_app.ports import Clock, OutputFiles, OutputStore

Part = Literal["video", "poster"]

KEPT_IN_BIN = timedelta(days=7)
BIN = OutputQuery(binned=True)


class Gallery:
    """A person's outputs. Paths are handed out only after the owner was checked."""

    def __init__(self, outputs: OutputStore, files: OutputFiles, clock: Clock):
        self._outputs = outputs
        self._files = files
        self._clock = clock

    def get(self, person: Person, output_id: str) -> Output:
        """Raises NotFound for a stranger's output as for none; one in the bin is found."""
        return self._outputs.get(person, output_id)

    def page(
        self,
        person: Person,
        query: OutputQuery = EVERYTHING,
        before: Place | None = None,
        limit: int = 50,
    ) -> Sequence[Output]:
        """Newest first; ``before`` is the place of the last one seen."""
        return self._outputs.page(person, query, before, limit)

    def count(self, person: Person, query: OutputQuery = EVERYTHING) -> int:
        """How many there are in all pages."""
        return self._outputs.count(person, query)

    def models(self, person: Person) -> Sequence[str]:
        """Keys of the models that made something."""
        return self._outputs.models(person)

    def existing(self, person: Person, ids: Collection[str]) -> Collection[str]:
        """Those of ``ids`` whose video is in the gallery, not in the bin and not removed."""
        return self._outputs.existing(person, ids)

    def path(self, person: Person, output_id: str, part: Part) -> Path:
        """The existing file behind an output; NotFound when somebody removed it by hand."""
        output = self.get(person, output_id)
        name = output.video if part == "video" else output.poster
        path = self._files.find(name)
        if path is None:
            raise NotFound(
                Problem(
                    code="file_gone",
                    what="The file of this video is gone.",
                    cause="Somebody removed it from the outputs folder.",
                    cure="Make it again from its recipe.",
                    evidence=name,
                )
            )
        return path

    def plays(self, output: Output) -> bool:
        """Whether the video's file is still there."""
        return self._files.find(output.video) is not None

    def favourite(self, person: Person, output_id: str, wanted: bool) -> Output:
        """Set or take away the star."""
        return self._outputs.favourite(person, output_id, wanted)

    def delete(self, person: Person, output_id: str) -> Output:
        """Move into the bin, where it can be taken out again for a week."""
        return self._outputs.bin(person, output_id, self._clock.now())

    def restore(self, person: Person, output_id: str) -> Output:
        """Take out of the bin again. Raises NotFound when it was removed for good."""
        return self._outputs.restore(person, output_id)

    def empty_bin(self, person: Person) -> int:
        """Remove for good all that lies in the bin; returns how many went."""
        gone, before = 0, None
        while page := self._outputs.page(person, BIN, before):
            gone += sum(self._purge(output) for output in page)
            before = page[-1].place
        return gone

    def purge_overdue(self) -> int:
        """Remove for good what has lain in the bin for a week; the dispatcher's hourly round."""
        overdue = self._outputs.overdue(self._clock.now() - KEPT_IN_BIN)
        return sum(self._purge(output) for output in overdue)

    def _purge(self, output: Output) -> bool:
        """Files first, row second: killed in between, the row is still there to try again."""
        names = (output.video, output.poster)
        return self._outputs.purge(output, lambda: self._files.remove(names))
