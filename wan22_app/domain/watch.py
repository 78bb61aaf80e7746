"""How long a run may show no sign of life before it is ended.

A sign of life is a transformer block, a tile, a frame or a megabyte loaded, so that a step of many
minutes on a slow card is never taken for a hang.
"""

from wan22_app.domain.events import Stage

BEAT_S = 1.0
"""At most one sign a second is sent."""
LOADED_BYTES = 1_000_000
"""Bytes read or kept that count as a sign while loading."""
STARTING_S = 300.0
LIMITS_S = {
    Stage.LOADING: 600.0,
    Stage.TEXT: 300.0,
    Stage.IMAGE: 600.0,
    Stage.DENOISING: 900.0,
    Stage.DECODING: 900.0,
    Stage.ENCODING: 300.0,
}


def patience(stage: Stage | None) -> float:
    """Seconds of silence that are borne; None is a run that has not said anything yet."""
    return STARTING_S if stage is None else LIMITS_S[stage]
