"""Colours, type and the few rules that Radix has no word for."""

import reflex as rx

STYLESHEETS = ("/wan22.css",)
HEAD = (
    rx.el.meta(name="color-scheme", content="dark light"),
    rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
)


def theme() -> rx.Component:
    """Slate and iris, dark first, small radius."""
    return rx.theme(
        appearance="dark", accent_color="iris", gray_color="slate", radius="small",
        has_background=True,
    )  # fmt: skip


LINE = "1px solid var(--gray-a5)"
PANEL = {
    "border": LINE,
    "border_radius": "8px",
    "padding": "16px",
    "background": "var(--color-panel-solid)",
}
STATE_COLORS = {
    "queued": "gray",
    "running": "iris",
    "succeeded": "grass",
    "draft": "amber",
    "failed": "tomato",
    "cancelled": "gray",
    "quarantined": "amber",
}
