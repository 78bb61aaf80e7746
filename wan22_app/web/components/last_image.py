"""The last image on the form: a small field below the start image, for models that take one."""

import reflex as rx

from wan22_app.adapters.images import MAX_BYTES
from wan22_app.web import words
from wan22_app.web.components.fields import below
from wan22_app.web.state.form import FormState
from wan22_app.web.state.last_image import LAST_ID


def last_image_field() -> rx.Component:
    """The place to drop an image, or the image as it will be cut."""
    return rx.box(
        rx.text(words.LAST_IMAGE, size="2", weight="medium", margin_bottom="4px"),
        rx.cond(FormState.ending.sha256 != "", _chosen(), _empty()),
        below("last_image"),
        width="100%",
    )


def _empty() -> rx.Component:
    return rx.upload(
        rx.text(words.LAST_IMAGE_HINT, size="2"),
        id=LAST_ID,
        multiple=False,
        max_files=1,
        max_size=MAX_BYTES,
        on_drop=FormState.take_last(rx.upload_files(upload_id=LAST_ID)),
        on_drop_rejected=lambda refused: FormState.refuse_last(refused.length()),
        class_name="wan-drop",
        border="1px dashed var(--gray-a8)",
        padding="12px",
        aria_label=words.LAST_IMAGE,
    )


def _chosen() -> rx.Component:
    picture = FormState.ending
    return rx.flex(
        rx.el.div(
            rx.el.img(
                src=picture.src,
                alt=words.LAST_IMAGE_ALT,
                id="last-preview",
                style={"objectPosition": picture.position},
            ),
            class_name="wan-crop",
            style={"aspectRatio": picture.ratio, "width": "128px", "flex": "none"},
        ),
        rx.flex(
            rx.text(picture.size, size="2"),
            rx.button(
                words.REMOVE_LAST_IMAGE,
                on_click=FormState.drop_last,
                variant="soft",
                color_scheme="gray",
                size="2",
            ),
            direction="column",
            gap="12px",
            align="start",
        ),
        gap="16px",
        align="start",
    )
