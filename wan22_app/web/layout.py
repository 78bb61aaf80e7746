"""The frame around every page: rail, card state, progress bar."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.live import LiveState

LINKS = (
    ("/", "clapperboard", words.GENERATION),
    ("/optimizations", "gauge", words.OPTIMIZATIONS),
    ("/queue", "list-video", words.QUEUE),
    ("/outputs", "images", words.OUTPUTS),
)


def frame(route: str, *content: rx.Component) -> rx.Component:
    """A page: the rail with this route marked, and its content."""
    return rx.fragment(
        top_bar(),
        rx.el.div(
            rail(route),
            rx.el.main(*content, class_name="wan-main", id="content"),
            class_name="wan-shell",
        ),
    )


def rail(route: str) -> rx.Component:
    """Navigation; a bar at the bottom of a phone."""
    return rx.el.nav(
        rx.el.div(rx.icon("waves", size=20), words.APP, class_name="wan-brand"),
        *(link(*each, current=each[0] == route) for each in LINKS),
        rx.el.div(card_state(), class_name="wan-foot"),
        class_name="wan-rail",
        aria_label=words.APP,
    )


def link(route: str, icon: str, text: str, *, current: bool) -> rx.Component:
    """One entry of the navigation."""
    mark = {"aria_current": "page"} if current else {}
    return rx.link(
        rx.icon(icon, size=18), text, href=route, class_name="wan-link", underline="none", **mark
    )


def card_state() -> rx.Component:
    """The card, its memory, and the light switch."""
    return rx.fragment(
        rx.cond(
            LiveState.progress.job_id != "",
            rx.text(
                LiveState.progress.stage_text, " ", LiveState.progress.count, size="1",
                color_scheme="iris",
            ),
        ),
        rx.text(LiveState.machine.name, size="1", weight="medium", class_name="wan-clip"),
        rx.hstack(
            rx.text(LiveState.machine.memory, size="1", color_scheme="gray"),
            rx.spacer(),
            rx.color_mode.button(
                size="2", variant="ghost", aria_label=words.TOGGLE_MODE, id="color-mode"
            ),
            width="100%",
            align="center",
        ),
    )  # fmt: skip


def top_bar() -> rx.Component:
    """The running job's progress, on every page."""
    return rx.cond(
        LiveState.progress.job_id != "",
        rx.el.div(
            rx.el.div(style={"width": LiveState.progress.percent.to_string() + "%"}),
            class_name="wan-topbar",
            role="progressbar",
            aria_label=words.JOB_PROGRESS,
            aria_valuenow=LiveState.progress.percent,
        ),
    )


def title(text: str) -> rx.Component:
    """The one title of a page; beside it the light switch where the rail has no room for it."""
    return rx.flex(
        rx.heading(text, size="5", as_="h1"),
        rx.box(
            rx.color_mode.button(size="2", variant="ghost", aria_label=words.TOGGLE_MODE),
            class_name="wan-light",
        ),
        justify="between",
        align="center",
        margin_bottom="16px",
    )


def empty(text: str, icon: str = "inbox") -> rx.Component:
    """A designed nothing."""
    return rx.vstack(
        rx.icon(icon, size=28, color="var(--gray-9)"),
        rx.text(text, size="2", color_scheme="gray", text_align="center"),
        align="center",
        padding="32px 16px",
        width="100%",
    )


def icon_button(icon: str, label: str, **props: object) -> rx.Component:
    """A quiet button that shows a sign and says its name."""
    return rx.icon_button(
        rx.icon(icon, size=16), variant="soft", color_scheme="gray", aria_label=label, title=label,
        **props,
    )  # fmt: skip
