"""The models as cards: state, size, needs, progress, one action."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.live import LiveState
from wan22_app.web.model_cards import ModelCard
from wan22_app.web.state.models import ModelsState

COLORS = (
    ("ready", "grass"), ("running", "iris"), ("waiting", "iris"), ("damaged", "tomato"),
)  # fmt: skip


def models() -> rx.Component:
    """Every model of the library, live."""
    return rx.skeleton(
        rx.el.ul(
            rx.foreach(LiveState.models, card),
            id="models",
            style={"listStyle": "none", "padding": 0, "minHeight": "320px"},
        ),
        loading=~LiveState.ready,
    )


def card(model: rx.Var[ModelCard]) -> rx.Component:
    """One model."""
    return rx.el.li(
        rx.el.div(
            rx.hstack(
                rx.text(model.name, size="2", weight="medium"),
                rx.badge(
                    model.state_text,
                    color_scheme=rx.match(model.state, *COLORS, "gray"),
                    variant="soft",
                ),
                rx.text(model.size, size="1", color_scheme="gray"),
                align="center",
                spacing="2",
                wrap="wrap",
            ),
            rx.text(model.needs, size="1", color_scheme="gray", margin_top="4px"),
            rx.cond(
                model.repo != "",
                rx.text(
                    model.repo, " · ", words.MODEL_LICENCE, size="1", color_scheme="gray",
                    style={"overflowWrap": "anywhere"},
                ),
            ),
            progress(model),
            problem(model),
            class_name="wan-grow",
        ),
        rx.el.div(action(model), class_name="wan-actions"),
        class_name="wan-row",
    )  # fmt: skip


def progress(model: rx.Var[ModelCard]) -> rx.Component:
    """The bar and what is on it in words, while weights are on their way."""
    return rx.cond(
        model.moving,
        rx.vstack(
            rx.progress(
                value=model.percent,
                size="1",
                aria_label=words.MODEL_PROGRESS + model.name,
                width="100%",
            ),
            rx.text(
                model.progress, size="1", style={"fontVariantNumeric": "tabular-nums"},
                min_height="16px",
            ),
            spacing="1",
            width="100%",
            margin_top="8px",
        ),
    )  # fmt: skip


def problem(model: rx.Var[ModelCard]) -> rx.Component:
    """What is wrong, why, and what to do; the evidence folded."""
    return rx.cond(
        model.what + model.cure != "",
        rx.box(
            rx.text(model.what, size="1"),
            rx.text(model.cause, " ", model.cure, size="1", color_scheme="gray"),
            rx.cond(
                model.evidence != "",
                rx.el.details(
                    rx.el.summary(words.EVIDENCE, style={"cursor": "pointer", "fontSize": "12px"}),
                    rx.el.div(model.evidence, class_name="wan-evidence"),
                ),
            ),
            margin_top="4px",
            style={"overflowWrap": "anywhere"},
        ),
    )


def action(model: rx.Var[ModelCard]) -> rx.Component:
    """The one thing that can be done."""
    fetch, stop = ModelsState.fetch_model(model.key), ModelsState.cancel_fetch(model.download_id)
    return rx.fragment(
        rx.match(
            model.action,
            ("get", button("download", words.MODEL_GET, fetch, model)),
            ("retry", button("rotate-cw", words.MODEL_RETRY, fetch, model)),
            ("cancel", button("x", words.CANCEL, stop, model)),
            rx.fragment(),
        )
    )


def button(
    icon: str, text: str, on_click: rx.event.EventSpec, model: rx.Var[ModelCard]
) -> rx.Component:
    """A button whose name says which model it means."""
    return rx.button(
        rx.icon(icon, size=16),
        text,
        on_click=on_click,
        aria_label=text + ": " + model.name,
        variant="soft",
        color_scheme="gray",
        size="2",
    )
