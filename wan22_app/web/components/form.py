"""The generation form."""

import reflex as rx

from wan22_app.domain.generation import PROMPT_LIMIT
from wan22_app.web import words
from wan22_app.web.choices import ModelView
from wan22_app.web.components.fields import below, buttons, choice, labelled, number
from wan22_app.web.live import LiveState
from wan22_app.web.state.form import UPLOAD_ID, FormState


def form() -> rx.Component:
    """Everything that a generation needs, the rare things folded."""
    return rx.vstack(
        model_field(),
        prompt_field(),
        rx.cond(FormState.chosen.takes_image, image_field()),
        rx.flex(
            buttons(words.SHAPE, FormState.shapes, FormState.shape, FormState.choose_shape),
            buttons(
                words.QUALITY, FormState.qualities, FormState.quality, FormState.choose_quality
            ),
            buttons(words.LENGTH, FormState.lengths, FormState.length, FormState.choose_length),
            wrap="wrap",
            gap="16px",
        ),
        seed_field(),
        advanced(),
        verdict(),
        generate_button(),
        spacing="4",
        width="100%",
        id="form",
    )


def model_field() -> rx.Component:
    """The model list, ready ones first, and what the chosen one is."""

    def option(model: rx.Var[ModelView]) -> rx.Component:
        text = rx.cond(model.ready, model.name, model.name + " (" + words.MISSING + ")")
        return rx.select.item(text, value=model.key)

    return labelled(
        "model",
        words.MODEL,
        rx.box(
            rx.select.root(
                rx.select.trigger(id="model", width="100%", aria_label=words.MODEL),
                rx.select.content(rx.foreach(FormState.models, option)),
                value=FormState.model,
                on_change=FormState.choose_model,
                size="3",
            ),
            rx.cond(
                FormState.chosen.demo,
                rx.callout(
                    words.DEMO_NOTE, icon="flask-conical", size="1", color_scheme="amber",
                    margin_top="8px",
                ),
            ),
        ),
    )  # fmt: skip


def prompt_field() -> rx.Component:
    """The prompt with its counter."""
    return rx.box(
        rx.hstack(
            rx.el.label(
                rx.text(words.PROMPT, size="2", weight="medium", as_="span"), html_for="prompt"
            ),
            rx.spacer(),
            rx.text(FormState.prompt.length(), f" / {PROMPT_LIMIT}", size="1", color_scheme="gray"),
            width="100%",
        ),
        rx.text_area(
            id="prompt",
            value=FormState.prompt,
            placeholder=words.PROMPT_HINT,
            on_change=lambda value: FormState.change("prompt", value),
            rows="5",
            size="3",
            margin_top="4px",
            width="100%",
            auto_focus=True,
        ),
        below("prompt"),
        width="100%",
    )


def image_field() -> rx.Component:
    """Drop, look at, replace and remove the start image."""
    hint = rx.cond(FormState.chosen.needs_image, words.IMAGE_REQUIRED, words.IMAGE_OPTIONAL)
    empty = rx.upload(
        rx.el.div(hint),
        rx.el.div(words.IMAGE_TYPES, class_name="wan-hint"),
        id=UPLOAD_ID,
        multiple=False,
        max_files=1,
        on_drop=FormState.take_image(rx.upload_files(upload_id=UPLOAD_ID)),
        class_name="wan-drop",
        border="1px dashed var(--gray-a8)",
        padding="16px",
        aria_label=words.START_IMAGE,
    )
    chosen = rx.hstack(
        rx.el.img(
            src=FormState.image_src, alt=words.IMAGE_ALT, id="start-preview",
            style={"maxHeight": "128px", "maxWidth": "60%", "borderRadius": "8px"},
        ),
        rx.vstack(
            rx.text(FormState.image_width, "×", FormState.image_height, size="1"),
            rx.button(
                words.REMOVE_IMAGE, on_click=FormState.drop_image, variant="soft",
                color_scheme="gray", size="2",
            ),
        ),
        align="center",
    )  # fmt: skip
    return rx.box(
        rx.text(words.START_IMAGE, size="2", weight="medium", margin_bottom="4px"),
        rx.cond(FormState.image_sha256 != "", chosen, empty),
        below("image"),
        width="100%",
    )


def seed_field() -> rx.Component:
    """Random when empty; a dice fills in one that stays."""
    return rx.box(
        rx.el.label(rx.text(words.SEED, size="2", weight="medium", as_="span"), html_for="seed"),
        rx.hstack(
            rx.input(
                id="seed",
                value=FormState.seed,
                placeholder=words.SEED_HINT,
                on_change=lambda value: FormState.change("seed", value),
                input_mode="numeric",
                width="176px",
            ),
            rx.icon_button(
                rx.icon("dices", size=18), on_click=FormState.throw_dice, variant="soft",
                color_scheme="gray", aria_label=words.DICE, title=words.DICE,
            ),
            margin_top="4px",
        ),
        below("seed"),
    )  # fmt: skip


def advanced() -> rx.Component:
    """The rare things."""
    return rx.el.details(
        rx.el.summary(words.ADVANCED),
        rx.el.div(
            number("width", words.WIDTH),
            number("height", words.HEIGHT),
            number("frames", words.FRAMES),
            number("fps", words.FPS),
            number("steps", words.STEPS),
            number("guidance", words.GUIDANCE),
            rx.cond(FormState.chosen.two_experts, number("guidance_low", words.GUIDANCE_LOW)),
            number("shift", words.SHIFT),
            choice("precision", words.PRECISION, ["bf16", "fp16", "fp32"]),
            choice("offload", words.OFFLOAD, ["auto", "none", "model", "block"]),
            number("tile", words.TILE),
            lora_field(),
            number("lora_strength", words.STRENGTH),
            class_name="wan-fields",
        ),
        rx.box(negative_field(), margin_top="16px"),
        rx.button(
            words.RESET, on_click=FormState.reset_fields, variant="ghost", size="2",
            margin_top="16px",
        ),
        class_name="wan-advanced",
        id="advanced",
        style={"width": "100%"},
    )  # fmt: skip


def lora_field() -> rx.Component:
    """One LoRA out of the folder."""
    return labelled(
        "loras",
        words.LORA,
        rx.select.root(
            rx.select.trigger(id="loras", width="100%", aria_label=words.LORA),
            rx.select.content(
                rx.select.item(words.LORA_NONE, value=words.LORA_NONE),
                rx.foreach(FormState.loras, lambda name: rx.select.item(name, value=name)),
            ),
            value=rx.cond(FormState.lora == "", words.LORA_NONE, FormState.lora),
            on_change=lambda value: FormState.change("lora", value),
        ),
    )


def negative_field() -> rx.Component:
    """The model's own default, to be changed or emptied."""
    return labelled(
        "negative_prompt",
        words.NEGATIVE,
        rx.text_area(
            id="negative_prompt",
            value=FormState.negative_prompt,
            placeholder=words.NEGATIVE_HINT,
            on_change=lambda value: FormState.change("negative_prompt", value),
            rows="3",
            width="100%",
        ),
    )


def verdict() -> rx.Component:
    """What would happen now: a sign, a colour and a sentence."""
    view = FormState.verdict
    icon = rx.match(
        view.level,
        ("ok", rx.icon("circle-check", size=18, color="var(--grass-11)")),
        ("bad", rx.icon("circle-alert", size=18, color="var(--tomato-11)")),
        rx.icon("circle", size=18, color="var(--gray-9)"),
    )
    return rx.box(
        rx.hstack(
            rx.box(icon, flex="none"),
            rx.text(
                view.text,
                rx.cond(view.level == "ok", " " + LiveState.start, ""),
                size="2",
                id="verdict",
            ),
            align="start",
        ),
        rx.cond(view.made != "", rx.text(view.made, size="1", color_scheme="gray", id="made")),
        width="100%",
        aria_live="polite",
    )


def generate_button() -> rx.Component:
    """Says what it does; Ctrl+Enter presses it."""
    return rx.button(
        LiveState.button,
        rx.spacer(),
        rx.el.kbd("Ctrl Enter", class_name="wan-kbd"),
        on_click=FormState.submit(FormState.key),
        loading=FormState.sending,
        size="4",
        width="100%",
        id="generate",
    )
