"""Labelled fields with a hint and their error beside them."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.state.form import FormState


def labelled(name: str, label: str, control: rx.Component) -> rx.Component:
    """A control under its label; the error, or the hint, below it."""
    return rx.box(
        rx.el.label(rx.text(label, size="2", weight="medium", as_="span"), html_for=name),
        rx.box(control, margin_top="4px"),
        below(name),
        width="100%",
    )


def below(name: str) -> rx.Component:
    """The error of a field if it has one, else its hint."""
    hint = words.HINTS.get(name, "")
    return rx.cond(
        FormState.errors.contains(name),
        rx.el.div(FormState.errors[name], class_name="wan-error", id=f"{name}-error", role="alert"),
        rx.el.div(hint, class_name="wan-hint") if hint else rx.fragment(),
    )


def number(name: str, label: str) -> rx.Component:
    """A number typed as text: the domain says what is wrong with it."""
    return labelled(
        name,
        label,
        rx.input(
            id=name,
            value=getattr(FormState, name),
            on_change=lambda value: FormState.change(name, value),
            input_mode="decimal",
            auto_complete=False,
            aria_invalid=FormState.errors.contains(name),
            aria_describedby=f"{name}-error",
            width="100%",
        ),
    )


def choice(name: str, label: str, options: list[str] | rx.Var[list[str]]) -> rx.Component:
    """A choice among a few words."""
    return labelled(
        name,
        label,
        rx.select(
            options,
            value=getattr(FormState, name),
            on_change=lambda value: FormState.change(name, value),
            id=name,
            width="100%",
            aria_label=label,
        ),
    )


def switch(name: str, text: str, value: rx.Var[str], on_change: rx.EventHandler) -> rx.Component:
    """On or off, with its name beside it and a hint below."""
    return rx.hstack(
        rx.switch(
            id=name,
            checked=value == "True",
            on_change=on_change,
            aria_describedby=f"{name}-hint",
        ),
        rx.el.label(rx.text(text, size="2", weight="medium", as_="span"), html_for=name),
        align="center",
    )


def buttons(
    label: str, options: rx.Var[list[str]], value: rx.Var[str], on_change: rx.EventHandler
) -> rx.Component:
    """A row of buttons of which one is chosen."""
    return rx.box(
        rx.text(label, size="2", weight="medium", margin_bottom="4px"),
        rx.segmented_control.root(
            rx.foreach(options, lambda option: rx.segmented_control.item(option, value=option)),
            value=value,
            on_change=on_change,
            aria_label=label,
            class_name="wan-buttons",
        ),
    )
