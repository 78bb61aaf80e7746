"""What a backup holds: its table of contents, and the names that may stand in it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from wan22_app.domain.values import Value

FORMAT = 1
DATABASE = "wan22.sqlite"
CONFIG = "config.json"
OUTPUTS, UPLOADS, LORAS = "outputs", "uploads", "loras"

# A manifest may have been written by anybody: no name in it may lead out of its folder.
NAMES = (
    r"^(wan22\.sqlite|config\.json"
    r"|outputs/[0-9a-f]{32}\.(mp4|webp)"
    r"|uploads/[0-9a-f]{64}(\.mp4|(\.original)?\.png)"
    r"|loras/[^/\\:\x00-\x1f]+\.safetensors)$"
)
StoredName = Annotated[str, Field(pattern=NAMES)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StoredFile(Value):
    """One file of a backup; ``name`` is its path inside, with forward slashes."""

    name: StoredName
    bytes: int = Field(ge=0)
    sha256: Hash

    @property
    def kind(self) -> str:
        """The folder it belongs to; empty for the database and the settings."""
        return self.name.rpartition("/")[0]


class Contents(Value):
    """What the rows of a database refer to. ``videos`` maps file names to their hashes."""

    revision: str
    videos: dict[str, str]
    posters: tuple[str, ...]
    images: tuple[str, ...]

    def names(self) -> Iterator[str]:
        """Paths inside a backup, each once."""
        yield from (f"{OUTPUTS}/{name}" for name in self.videos)
        yield from (f"{OUTPUTS}/{name}" for name in self.posters)
        yield from (f"{UPLOADS}/{name}" for name in self.images)


class Manifest(Value):
    """The table of contents, written last.

    ``missing`` has a row and had no file; ``damaged`` differs from what was once published.
    """

    format: int = FORMAT
    app_version: str
    revision: str
    created_at: datetime
    files: tuple[StoredFile, ...]
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names) or DATABASE not in names:
            raise ValueError("a backup holds a database, and every file once")
        return self

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files)
