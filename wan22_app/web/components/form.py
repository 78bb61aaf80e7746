"""The generation form."""

from typing import get_args

import reflex as rx

from wan22_app.domain.catalog import Attention, Compilation, Quantization, TextQuantization
from wan22_app.web import words
from wan22_app.web.choices import ModelView
from wan22_app.web.components.continuation import continued_field
from wan22_app.web.components.enhance import prompt_tools
from wan22_app.web.components.fields import below, buttons, choice, labelled, number, switch
from wan22_app.web.components.last_image import last_image_field
from wan22_app.web.components.loras import lora_field
from wan22_app.web.components.preferences import preset_menu
from wan22_app.web.components.start_image import image_field
from wan22_app.web.live import LiveState
from wan22_app.web.state.form import FormState


def form() -> rx.Component:
    """Everything that a generation needs, the rare things folded."""
    return rx.vstack(
        model_field(),
        prompt_field(),
        rx.cond(
            FormState.continued.sha256 != "",
            continued_field(),
            rx.cond(FormState.chosen.takes_image, image_field()),
        ),
        rx.cond(FormState.chosen.takes_last_image, last_image_field()),
        rx.flex(
            rx.cond(FormState.continued.sha256 == "", size_fields()),
            buttons(words.LENGTH, FormState.lengths, FormState.length, FormState.choose_length),
            rx.cond(~FormState.chosen.demo, speed_field()),
            wrap="wrap",
            gap="16px",
        ),
        speed_note(),
        rx.flex(
            rx.flex(seed_field(), count_field(), gap="16px", align="start", wrap="wrap"),
            preset_menu(),
            justify="between",
            align="end",
            wrap="wrap",
            gap="16px",
            width="100%",
        ),
        drafts_first(),
        advanced(),
        verdict(),
        rx.cond(LiveState.waiting.length() > 0, run_first()),
        generate_button(),
        spacing="4",
        width="100%",
        id="form",
    )


def size_fields() -> rx.Component:
    """Shape and quality, unless a video that goes on has them."""
    return rx.fragment(
        buttons(words.SHAPE, FormState.shapes, FormState.shape, FormState.choose_shape),
        buttons(words.QUALITY, FormState.qualities, FormState.quality, FormState.choose_quality),
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
    """The prompt with its enhancer, examples and counter."""
    return rx.box(
        rx.el.label(
            rx.text(words.PROMPT, size="2", weight="medium", as_="span"), html_for="prompt"
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
        prompt_tools(),
        width="100%",
    )


def speed_field() -> rx.Component:
    """As the makers say, or faster; none is marked for anything else."""
    return buttons(words.SPEED, FormState.speeds, FormState.speed, FormState.choose_speed)


def speed_note() -> rx.Component:
    """What a lossy speed costs, and what Turbo lacks."""
    return rx.cond(
        FormState.speed_note & ~FormState.chosen.demo,
        rx.box(
            rx.el.div(FormState.speed_note, class_name="wan-hint"),
            rx.cond(
                FormState.lacks_distilled,
                rx.el.div(words.TURBO_LACKS, class_name="wan-error", role="alert"),
            ),
            id="speed-note",
        ),
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
                aria_invalid=FormState.errors.contains("seed"),
                aria_describedby="seed-error",
                width="152px",
            ),
            rx.icon_button(
                rx.icon("dices", size=18), on_click=FormState.throw_dice, variant="soft",
                color_scheme="gray", aria_label=words.DICE, title=words.DICE,
            ),
            margin_top="4px",
        ),
        below("seed"),
    )  # fmt: skip


def count_field() -> rx.Component:
    """How many videos of this form, each with the next seed."""
    return rx.box(number("count", words.COUNT), width="136px")


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
            choice("sampler", words.SAMPLER, ["unipc", "euler"]),
            number("step_cache", words.STEP_CACHE),
            choice("precision", words.PRECISION, ["bf16", "fp16", "fp32"]),
            choice("vae_precision", words.VAE_PRECISION, ["fp32", "bf16"]),
            choice("quantization", words.QUANTIZATION, list(get_args(Quantization))),
            choice("text_quantization", words.TEXT_QUANTIZATION, list(get_args(TextQuantization))),
            choice("attention", words.ATTENTION, list(get_args(Attention))),
            choice("compilation", words.COMPILATION, list(get_args(Compilation))),
            choice("offload", words.OFFLOAD, ["auto", "none", "model", "block"]),
            choice("keep", words.PARTS_KEPT, ["auto", "all", "one"]),
            number("tile", words.TILE),
            number("chunk", words.CHUNK),
            class_name="wan-fields",
        ),
        rx.box(lora_field(), margin_top="16px"),
        rx.box(negative_field(), margin_top="16px"),
        consent(),
        rx.button(
            words.RESET, on_click=FormState.reset_fields, variant="ghost", size="2",
            margin_top="16px",
        ),
        class_name="wan-advanced",
        id="advanced",
        style={"width": "100%"},
    )  # fmt: skip


def drafts_first() -> rx.Component:
    """See what the seeds become before all steps are computed."""
    return rx.box(
        switch("drafts", words.DRAFTS_FIRST, FormState.drafts, FormState.ask_drafts),
        rx.cond(
            FormState.drafts == "True",
            rx.el.div(words.DRAFTS_FIRST_HINT, class_name="wan-hint", id="drafts-hint"),
        ),
        below("drafts"),
    )


def consent() -> rx.Component:
    """Whether a lighter video is better than none."""
    return rx.box(
        switch("may_reduce", words.MAY_REDUCE, FormState.may_reduce, FormState.allow_less),
        rx.el.div(words.MAY_REDUCE_HINT, class_name="wan-hint", id="may_reduce-hint"),
        margin_top="16px",
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


def run_first() -> rx.Component:
    """The order among one's own jobs; nobody else waits longer for it."""
    return rx.el.label(
        rx.hstack(
            rx.checkbox(checked=FormState.first, on_change=FormState.put_first, id="run-first"),
            rx.text(words.RUN_FIRST, size="2", as_="span"),
            align="center",
            min_height="40px",
        ),
        html_for="run-first",
    )


def generate_button() -> rx.Component:
    """Says what it does; Ctrl+Enter presses it."""
    return rx.button(
        rx.cond(
            FormState.first & (LiveState.waiting.length() > 0), words.ADD_FIRST, LiveState.button
        ),
        rx.spacer(),
        rx.el.kbd("Ctrl Enter", class_name="wan-kbd"),
        on_click=FormState.submit(FormState.key),
        loading=FormState.sending,
        size="4",
        width="100%",
        id="generate",
    )
