"""The start image on the form: drop it, see what the model will see, choose what is kept."""

import reflex as rx

from wan22_app.adapters.images import MAX_BYTES
from wan22_app.web import words
from wan22_app.web.components.fields import below, buttons
from wan22_app.web.state.form import FormState
from wan22_app.web.state.start_image import UPLOAD_ID

SETTLED_MS = 60
"""A slider that is dragged tells its place when it has rested this long."""


def image_field() -> rx.Component:
    """The place to drop an image, or the image."""
    return rx.box(
        rx.text(words.START_IMAGE, size="2", weight="medium", margin_bottom="4px"),
        rx.cond(FormState.picture.sha256 != "", chosen(), empty()),
        below("image"),
        rx.cond(FormState.chosen.demo & (FormState.picture.sha256 == ""), example()),
        width="100%",
    )


def empty() -> rx.Component:
    """Drop or click; what is too large is refused before it travels."""
    hint = rx.cond(FormState.chosen.needs_image, words.IMAGE_REQUIRED, words.IMAGE_OPTIONAL)
    return rx.upload(
        rx.el.div(rx.cond(FormState.reading, words.IMAGE_READING, hint), aria_live="polite"),
        rx.el.div(words.IMAGE_TYPES, class_name="wan-hint"),
        id=UPLOAD_ID,
        multiple=False,
        max_files=1,
        max_size=MAX_BYTES,
        on_drop=FormState.take_image(rx.upload_files(upload_id=UPLOAD_ID)),
        on_drop_rejected=lambda refused: FormState.refuse_image(refused.length()),
        class_name="wan-drop",
        border="1px dashed var(--gray-a8)",
        padding="16px",
        aria_label=words.START_IMAGE,
    )


def example() -> rx.Component:
    """The demo models know shapes only, and nobody has a picture of one at hand."""
    return rx.button(
        rx.icon("shapes", size=16),
        words.IMAGE_EXAMPLE,
        on_click=FormState.take_example,
        variant="soft",
        color_scheme="gray",
        size="2",
        margin_top="8px",
        id="example-image",
    )


def chosen() -> rx.Component:
    """The frame with its choices beside it, or below it where there is no room."""
    return rx.flex(
        frame(),
        rx.flex(facts(), background(), place(), direction="column", gap="12px", flex="1 1 200px"),
        wrap="wrap",
        gap="16px",
        align="start",
    )


def frame() -> rx.Component:
    """Exactly the asked shape: the browser covers it as the engine does."""
    picture = FormState.picture
    return rx.box(
        rx.el.div(
            rx.el.img(
                src=picture.src,
                alt=words.IMAGE_ALT,
                id="start-preview",
                style={"objectPosition": picture.position},
            ),
            id="crop-frame",
            class_name="wan-crop",
            style={"aspectRatio": picture.ratio},
        ),
        rx.el.div(words.CROP_HINT, class_name="wan-hint", style={"marginTop": "4px"}),
        style={"width": picture.width, "minWidth": "96px"},
    )


def facts() -> rx.Component:
    """Size, what was done to the file, and the way back."""
    return rx.flex(
        rx.box(
            rx.text(FormState.picture.size, size="2"),
            rx.foreach(
                FormState.picture.notes, lambda note: rx.el.div(note, class_name="wan-hint")
            ),
            id="image-facts",
        ),
        rx.button(
            words.REMOVE_IMAGE,
            on_click=FormState.drop_image,
            variant="soft",
            color_scheme="gray",
            size="2",
        ),
        justify="between",
        align="start",
        gap="12px",
    )


def background() -> rx.Component:
    """Only where something can be seen through."""
    return rx.cond(
        FormState.picture.transparent,
        rx.box(
            rx.text(words.BACKGROUND, size="2", weight="medium", margin_bottom="4px"),
            rx.segmented_control.root(
                *(
                    rx.segmented_control.item(name, value=name)
                    for name in words.BACKGROUNDS.values()
                ),
                value=FormState.picture.background,
                on_change=FormState.choose_background,
                aria_label=words.BACKGROUND,
            ),
            id="background",
        ),
    )


def place() -> rx.Component:
    """Which part is kept, by buttons, by dragging or by arrow keys; only where it is cut."""
    picture = FormState.picture
    return rx.cond(
        picture.places.length() > 0,
        rx.box(
            buttons(words.CROP, picture.places, picture.place, FormState.choose_place),
            rx.el.input(
                type="range",
                min="0",
                max="100",
                # Its own master while it is moved: the server's echo would pull it back.
                default_value=picture.percent,
                key=FormState.crop_key,
                on_change=FormState.move_crop.debounce(SETTLED_MS),
                aria_label=words.CROP_MOVE,
                class_name="wan-range",
                id="crop-move",
            ),
            id="crop",
        ),
    )
