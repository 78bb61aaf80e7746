"""What runs, what waits, what has ended, and how the machine bears it."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import plots, queue
from wan22_app.web.layout import frame, title
from wan22_app.web.live import LiveState


def page() -> rx.Component:
    """The queue on the left, the machine on the right; one column on a phone."""
    return frame(
        "/queue",
        title(words.QUEUE),
        plots.blocked(),
        plots.warnings(),
        rx.el.div(
            rx.vstack(
                rx.foreach(LiveState.running, queue.running_card),
                queue.waiting(),
                queue.ended(),
                spacing="4",
                width="100%",
            ),
            rx.el.aside(plots.machine(), aria_label=words.LAST_HOUR, class_name="wan-machine"),
            class_name="wan-queue",
        ),
    )
