"""The video that the form goes on from, in the place of a start image."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components.fields import below, buttons
from wan22_app.web.state.form import FormState


def continued_field() -> rx.Component:
    """Its last picture, how many of its frames are given, and a way back."""
    video = FormState.continued
    return rx.box(
        rx.text(words.CONTINUES_TITLE, size="2", weight="medium", margin_bottom="4px"),
        rx.flex(
            rx.el.img(
                src=video.src, alt=words.CONTINUES_ALT, id="continued",
                class_name="wan-continued",
            ),
            rx.flex(
                rx.text(video.text, size="2"),
                buttons(words.TAIL, FormState.tails, video.tail, FormState.choose_tail),
                rx.button(
                    words.DROP_VIDEO, on_click=FormState.drop_video, variant="soft",
                    color_scheme="gray", size="2",
                ),
                direction="column",
                gap="12px",
                align="start",
            ),
            gap="16px",
            align="start",
            wrap="wrap",
        ),
        rx.el.div(words.CONTINUES_HINT, class_name="wan-hint", style={"marginTop": "8px"}),
        below("continues"),
        width="100%",
    )  # fmt: skip
