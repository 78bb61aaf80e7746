"""Drafts below the stage: what each seed is going to be, to be kept or discarded."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.live import LiveState
from wan22_app.web.state.stage import StageState
from wan22_app.web.views import DraftView


def undecided() -> rx.Component:
    """All that wait for a decision; nothing where there are none."""
    return rx.cond(
        LiveState.drafts.length() > 0,
        rx.el.section(
            rx.text(words.DRAFTS, size="2", weight="medium"),
            rx.text(words.DRAFTS_HINT, size="1", color_scheme="gray"),
            rx.el.ul(rx.foreach(LiveState.drafts, card), class_name="wan-drafts", id="undecided"),
            aria_label=words.DRAFTS,
            style={"marginTop": "24px"},
        ),
    )


def card(draft: rx.Var[DraftView]) -> rx.Component:
    """A moving preview, its seed, and the two ways on."""
    return rx.el.li(
        moving(draft.preview_url, draft.label),
        rx.el.div(
            rx.text(words.SEED, " ", draft.seed, size="1", color_scheme="gray"),
            rx.cond(
                draft.going_on,
                rx.badge(words.DRAFT_GOES_ON, color_scheme="iris", variant="soft"),
                decision(draft),
            ),
            class_name="wan-draft-foot",
        ),
        class_name="wan-draft",
        title=draft.prompt,
    )


def decision(draft: rx.Var[DraftView]) -> rx.Component:
    """Keep or discard."""
    return rx.hstack(
        rx.button(
            rx.icon("check", size=16), words.DRAFT_KEEP, size="2", variant="soft",
            on_click=StageState.keep_draft(draft.id), aria_label=draft.keep,
        ),
        rx.icon_button(
            rx.icon("trash-2", size=16), size="2", variant="soft", color_scheme="gray",
            on_click=StageState.discard_draft(draft.id), aria_label=draft.discard,
            title=words.DRAFT_DISCARD,
        ),
        spacing="2",
    )  # fmt: skip


def moving(source: rx.Var[str], label: rx.Var[str] | str) -> rx.Component:
    """A small moving picture, still for whoever asked their system for that."""
    return rx.el.picture(
        rx.el.source(src_set=source + "&still=1", media="(prefers-reduced-motion: reduce)"),
        rx.el.img(src=source, alt=label, class_name="wan-preview"),
        class_name="wan-still",
    )
