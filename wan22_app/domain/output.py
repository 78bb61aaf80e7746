"""A finished video and the recipe to make it again."""

from datetime import datetime

from wan22_app.domain.generation import GenerationRequest
from wan22_app.domain.memory import MemoryPlan
from wan22_app.domain.values import Value

RECIPE_KEY = "wan22_recipe"
"""Name of the mp4 metadata entry that holds the recipe as JSON."""


class Recipe(Value):
    """Everything needed to make an output again; embedded in the mp4 itself.

    ``revision`` identifies the weights (commit, or a hash of the folder's file sizes);
    ``versions`` maps the app, torch, diffusers and transformers to their versions.
    """

    format: int = 1
    demo: bool
    request: GenerationRequest
    plan: MemoryPlan
    revision: str
    latents_sha256: str
    versions: dict[str, str]
    device: str


class Output(Value):
    """A published video. ``video`` and ``poster`` are file names inside the outputs folder.

    ``id`` equals the id of the job that made it: a job has at most one output.
    """

    id: str
    owner: str
    request: GenerationRequest
    video: str
    poster: str
    width: int
    height: int
    frames: int
    fps: int
    bytes: int
    sha256: str
    latents_sha256: str
    seconds: dict[str, float]
    created_at: datetime

    @property
    def length(self) -> float:
        """Playing time in seconds."""
        return self.frames / self.fps
