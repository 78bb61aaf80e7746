"""What this machine has and lacks."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import models, preferences
from wan22_app.web.layout import frame, title
from wan22_app.web.state.machine import MachineState
from wan22_app.web.state.stage import StageState
from wan22_app.web.theme import PANEL

LEVEL_COLORS = (("ok", "grass"), ("note", "amber"), ("bad", "tomato"))


def page() -> rx.Component:
    """The machine, what fits on it, then the models."""
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
            rx.box(folders(), width="100%", **PANEL),
            rx.box(preferences.plan(), width="100%", **PANEL),
            rx.box(preferences.defaults(), width="100%", **PANEL),
            rx.box(preferences.presets(), width="100%", **PANEL),
            rx.box(
                rx.heading(words.MODELS, size="3", as_="h2"),
                models.models(),
                width="100%",
                **PANEL,
            ),
            spacing="4",
            width="100%",
        ),
    )  # fmt: skip


def folders() -> rx.Component:
    """Where everything lies, and how much room is left there."""

    def row(folder: rx.Var[dict[str, str]]) -> rx.Component:
        return rx.el.li(
            rx.text(folder["name"], size="2", class_name="wan-folder"),
            rx.el.code(folder["path"], class_name="wan-grow wan-path"),
            rx.text(folder["free"], size="1", color_scheme="gray"),
            class_name="wan-row",
        )

    return rx.fragment(
        rx.heading(words.FOLDERS, size="3", as_="h2"),
        rx.text(words.FOLDERS_HINT, size="1", color_scheme="gray", margin_top="4px"),
        rx.el.ul(rx.foreach(MachineState.folders, row), class_name="wan-rows", id="folders"),
    )


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
