"""A video that a new one goes on from: its last frames are given, its pictures come first."""

from typing import Annotated

from pydantic import Field

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.values import Value

TAILS = (1, 5, 9)
"""How many of the last frames may be given: what a VAE makes whole latent frames of."""


class VideoRef(Value):
    """A kept copy of a video; ``sha256`` names its mp4 in the uploads folder.

    ``frames`` are all that it has, ``tail`` those at its end that the model is given. ``still``
    names the PNG of its last one, for the form to show.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    still: str = Field(pattern=r"^[0-9a-f]{64}$")
    width: int = Field(gt=0, le=8192)
    height: int = Field(gt=0, le=8192)
    fps: int = Field(gt=0, le=240)
    frames: int = Field(gt=0, le=1_000_000)
    tail: Annotated[int, Field(ge=1)] = 1


def tails(frames: int) -> tuple[int, ...]:
    """How many frames at the end of a video of this length may be given."""
    return tuple(tail for tail in TAILS if tail <= frames)


def usual_tail(spec: ModelSpec, frames: int) -> int:
    """Motion shows in several frames, which the A14B models were taught to go on from; TI2V-5B was
    taught a single one."""
    if spec.boundary is None:
        return 1
    return max(tail for tail in TAILS[:2] if tail <= frames)
