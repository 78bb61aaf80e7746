"""What this machine has and lacks."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.choices import ModelView
from wan22_app.web.layout import frame, title
from wan22_app.web.state.machine import MachineState
from wan22_app.web.state.stage import StageState
from wan22_app.web.theme import PANEL

LEVEL_COLORS = (("ok", "grass"), ("note", "amber"), ("bad", "tomato"))


def page() -> rx.Component:
    """The machine, then the models."""
    return frame(
        "/optimizations",
        title(words.OPTIMIZATIONS),
        rx.vstack(
            rx.box(
                rx.heading(words.THIS_MACHINE, size="3", as_="h2"),
                rx.skeleton(
                    rx.el.ul(
                        rx.foreach(MachineState.checks, check_row),
                        id="checks",
                        style={"listStyle": "none", "padding": 0, "minHeight": "240px"},
                    ),
                    loading=~MachineState.looked,
                ),
                rx.hstack(
                    rx.button(
                        words.FREE_CARD, on_click=StageState.free_card, variant="soft", size="2",
                        color_scheme="gray",
                    ),
                    rx.text(words.FREE_CARD_HINT, size="1", color_scheme="gray"),
                    align="center",
                    wrap="wrap",
                ),
                width="100%",
                **PANEL,
            ),
            rx.box(
                rx.heading(words.MODELS, size="3", as_="h2"),
                rx.el.ul(
                    rx.foreach(MachineState.models, model_row),
                    id="models",
                    style={"listStyle": "none", "padding": 0},
                ),
                width="100%",
                **PANEL,
            ),
            spacing="4",
            width="100%",
        ),
    )  # fmt: skip


def check_row(check: rx.Var[dict[str, str]]) -> rx.Component:
    """One line of the doctor's report."""
    return rx.el.li(
        rx.badge(
            check["state"], color_scheme=rx.match(check["level"], *LEVEL_COLORS, "gray"),
            variant="soft",
        ),
        rx.el.div(
            rx.text(check["name"], ": ", check["what"], size="2"),
            rx.text(check["cure"], size="1", color_scheme="gray"),
            class_name="wan-grow",
        ),
        class_name="wan-row",
    )  # fmt: skip


def model_row(model: rx.Var[ModelView]) -> rx.Component:
    """A model and what it needs."""
    return rx.el.li(
        rx.badge(
            rx.cond(model.ready, words.READY, words.MISSING),
            color_scheme=rx.cond(model.ready, "grass", "gray"),
            variant="soft",
        ),
        rx.el.div(
            rx.text(model.name, size="2", weight="medium"),
            rx.text(model.note, " ", model.cure, size="1", color_scheme="gray"),
            class_name="wan-grow",
        ),
        class_name="wan-row",
    )
