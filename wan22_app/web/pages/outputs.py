"""Finished videos."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import stage
from wan22_app.web.layout import empty, frame, title
from wan22_app.web.live import LiveState
from wan22_app.web.state.stage import StageState


def page() -> rx.Component:
    """The player above the posters."""
    return frame(
        "/outputs",
        title(words.OUTPUTS),
        rx.cond(
            StageState.shown.id != "",
            rx.box(stage.result(StageState.shown), max_width="960px", margin_bottom="24px"),
        ),
        rx.cond(
            LiveState.results.length() > 0,
            rx.el.div(
                rx.foreach(LiveState.results, stage.poster),
                class_name="wan-gallery",
                id="gallery",
            ),
            empty(words.OUTPUTS_EMPTY, "images"),
        ),
    )
