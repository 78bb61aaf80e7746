"""Drafts: a share of the steps, to see what a seed will become before the rest is computed."""

from wan22_app.domain.errors import InvalidRequest, Problem

SHARE = 0.25
"""Of the steps; the layout of a picture is settled by then."""


def last_step(steps: int) -> int:
    """After which of its steps a draft ends. Raises InvalidRequest where nothing would be left."""
    if steps < 2:
        raise InvalidRequest(
            Problem(
                code="draft_is_whole",
                what="A draft of one step would be the whole video.",
                cure="Use 2 steps or more, or ask for no drafts.",
                field="drafts",
            )
        )
    return max(1, round(SHARE * steps))
