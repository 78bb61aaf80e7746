"""Defaults with what each costs here, and presets."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.state.preferences import (
    ChoiceGroup,
    ChoiceView,
    PreferenceState,
    PresetView,
    WayView,
)


def defaults() -> rx.Component:
    """Each default as a row of choices; the chosen one is marked and counts at once."""
    return rx.box(
        rx.heading(words.DEFAULTS, size="3", as_="h2"),
        rx.text(words.DEFAULTS_HINT, size="1", color_scheme="gray", margin_top="4px"),
        rx.foreach(PreferenceState.groups, group),
        id="defaults",
    )


def group(item: rx.Var[ChoiceGroup]) -> rx.Component:
    """The choices of one default."""
    return rx.box(
        rx.text(item.label, size="2", weight="medium", margin="16px 0 8px"),
        rx.el.div(
            rx.foreach(item.choices, lambda choice: option(item.name, choice)),
            class_name="wan-choices",
            role="radiogroup",
            aria_label=item.label,
        ),
    )


def option(name: rx.Var[str], choice: rx.Var[ChoiceView]) -> rx.Component:
    """One choice: its name, what it does, what it needs on this machine."""
    return rx.el.button(
        rx.hstack(
            rx.cond(choice.chosen, rx.icon("circle-dot", size=16), rx.icon("circle", size=16)),
            rx.text(choice.label, size="2", weight="medium"),
            align="center",
            spacing="2",
        ),
        rx.text(choice.hint, size="1", color_scheme="gray"),
        rx.text(choice.cost, size="1", color_scheme=rx.cond(choice.fits, "gray", "tomato"),
                weight="medium"),
        type="button",
        role="radio",
        aria_checked=rx.cond(choice.chosen, "true", "false"),
        class_name="wan-choice",
        on_click=PreferenceState.choose(name, choice.value),
    )  # fmt: skip


def plan() -> rx.Component:
    """How the compared model would be placed, and why not otherwise."""
    return rx.box(
        rx.flex(
            rx.heading(words.PLAN, size="3", as_="h2"),
            rx.spacer(),
            rx.select.root(
                rx.select.trigger(aria_label=words.COMPARED_MODEL, id="compared"),
                rx.select.content(
                    rx.foreach(
                        PreferenceState.models,
                        lambda model: rx.select.item(model["name"], value=model["key"]),
                    )
                ),
                value=PreferenceState.compared,
                on_change=PreferenceState.compare_with,
                size="2",
            ),
            align="center",
            gap="8px",
            wrap="wrap",
        ),
        rx.text(words.PLAN_HINT, size="1", color_scheme="gray", margin_top="4px"),
        rx.el.ul(rx.foreach(PreferenceState.ways, way_row), class_name="wan-rows", id="plan"),
    )


def way_row(way: rx.Var[WayView]) -> rx.Component:
    """One way."""
    return rx.el.li(
        rx.match(
            way.against,
            ("", rx.icon("circle-check", size=18, color=rx.color("grass", 11))),
            ("time", rx.icon("circle", size=18, color=rx.color("gray", 10))),
            rx.icon("circle-x", size=18, color=rx.color("tomato", 11)),
        ),
        rx.el.div(
            rx.text(way.label, size="2", weight="medium"),
            rx.text(way.text, size="1", color_scheme="gray"),
            class_name="wan-grow",
        ),
        class_name="wan-row",
    )


def presets() -> rx.Component:
    """The person's presets, to be applied or removed."""
    return rx.box(
        rx.heading(words.PRESETS, size="3", as_="h2"),
        rx.cond(
            PreferenceState.presets.length() > 0,
            rx.el.ul(
                rx.foreach(PreferenceState.presets, preset_row), class_name="wan-rows", id="presets"
            ),
            rx.text(words.PRESETS_EMPTY, size="2", color_scheme="gray", margin_top="8px"),
        ),
    )


def preset_row(preset: rx.Var[PresetView]) -> rx.Component:
    """One preset."""
    return rx.el.li(
        rx.el.div(
            rx.text(preset.name, size="2", weight="medium"),
            rx.text(preset.facts, size="1", color_scheme="gray"),
            class_name="wan-grow",
        ),
        rx.icon_button(
            rx.icon("x", size=16), on_click=PreferenceState.remove(preset.id), variant="soft",
            color_scheme="gray", aria_label=words.REMOVE, title=words.REMOVE,
        ),
        class_name="wan-row",
    )  # fmt: skip


def preset_menu() -> rx.Component:
    """On the form: apply one, or keep the form as one."""
    return rx.popover.root(
        rx.popover.trigger(
            rx.button(
                rx.icon("bookmark", size=16), words.PRESETS, variant="soft", color_scheme="gray",
                size="2", id="preset-menu",
            )
        ),
        rx.popover.content(
            rx.vstack(
                rx.foreach(
                    PreferenceState.presets,
                    lambda preset: rx.popover.close(
                        rx.button(
                            preset.name, on_click=PreferenceState.apply(preset.id), variant="ghost",
                            size="2",
                        )
                    ),
                ),
                rx.cond(PreferenceState.presets.length() > 0, rx.separator(size="4")),
                rx.text(words.PRESET_HINT, size="1", color_scheme="gray"),
                rx.hstack(
                    rx.input(
                        value=PreferenceState.name, on_change=PreferenceState.type_name,
                        placeholder=words.PRESET_NAME, aria_label=words.PRESET_NAME,
                        id="preset-name", max_length=60,
                    ),
                    rx.button(words.SAVE, on_click=PreferenceState.save, size="2"),
                ),
                rx.cond(
                    PreferenceState.problem != "",
                    rx.el.div(PreferenceState.problem, class_name="wan-error", role="alert"),
                ),
                align="start",
            ),
            size="2",
        ),
    )  # fmt: skip
