"""Finished videos and their files."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from wan22_app.domain.account import Person
from wan22_app.domain.errors import NotFound, Problem
from wan22_app.domain.output import Output
from wan22_app.ports import OutputStore

Part = Literal["video", "poster"]


class Gallery:
    """A person's outputs. Paths are handed out only after the owner was checked."""

    def __init__(self, outputs: OutputStore, folder: Path):
        self._outputs = outputs
        self._folder = folder

    def get(self, person: Person, output_id: str) -> Output:
        """Raises NotFound for a stranger's output as for none."""
        return self._outputs.get(person, output_id)

    def page(
        self, person: Person, before: datetime | None = None, limit: int = 50
    ) -> Sequence[Output]:
        """Newest first."""
        return self._outputs.page(person, before, limit)

    def path(self, person: Person, output_id: str, part: Part) -> Path:
        """The existing file behind an output; NotFound when somebody removed it by hand."""
        output = self.get(person, output_id)
        path = self._folder / (output.video if part == "video" else output.poster)
        if not path.is_file():
            raise NotFound(
                Problem(
                    code="file_gone",
                    what="The file of this video is gone.",
                    cause="Somebody removed it from the outputs folder.",
                    cure="Make it again from its recipe.",
                    evidence=path.name,
                )
            )
        return path
