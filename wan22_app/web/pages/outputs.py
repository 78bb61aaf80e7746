"""Finished videos: the grid, and beside it the one that is open."""

from pathlib import Path

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components.detail import side
from wan22_app.web.components.outputs import bar, gallery, undo_button
from wan22_app.web.layout import frame, title
from wan22_app.web.state.brought import BroughtState
from wan22_app.web.state.detail import DetailState

SCRIPT = Path(__file__).parents[1] / "outputs.js"


def page() -> rx.Component:
    """The grid stays where it is: an open video takes a column of its own."""
    opened = (DetailState.view.id != "") | (BroughtState.title != "")
    return frame(
        "/outputs",
        title(words.OUTPUTS),
        rx.el.div(
            bar(),
            rx.el.div(
                gallery(),
                side(),
                class_name=rx.cond(opened, "wan-split wan-split-open", "wan-split"),
            ),
            rx.el.div(words.DROP_HERE, class_name="wan-dropzone", aria_hidden=True),
            undo_button(),
            id="outputs",
        ),
        rx.script(SCRIPT.read_text(encoding="utf-8")),
    )
