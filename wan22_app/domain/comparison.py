"""How like two videos are, picture by picture."""

from typing import Literal

from wan22_app.domain.values import Value

ROUNDING_DB = 40.0
"""From here on what differs is rounding: another card or version does that, and nobody sees it."""

Verdict = Literal["equal", "similar", "different"]


class Comparison(Value):
    """``psnr`` is the worst of any pair of pictures, in dB; None where all are equal.

    ``frames`` and ``others`` are the lengths; where they differ, so do the videos.
    """

    frames: int
    others: int
    psnr: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Equal to the bit, but for rounding, or not at all."""
        if self.frames != self.others:
            return "different"
        if self.psnr is None:
            return "equal"
        return "similar" if self.psnr >= ROUNDING_DB else "different"
