"""Below the prompt: enhance, examples, undo, the counter, and a suggestion as a difference."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.state.enhance import EnhanceState, NoteView, PieceView
from wan22_app.web.state.form import FormState

ADDED = {"color": "var(--grass-11)", "textDecoration": "none"}
UNDERLINED = {
    "textDecoration": "underline",
    "textDecorationThickness": "1px",
    "textUnderlineOffset": "3px",
}
SIZE = rx.breakpoints(initial="3", md="2")
"""Large enough for a thumb where there is one."""
HIDDEN = {
    "position": "absolute",
    "width": "1px",
    "height": "1px",
    "overflow": "hidden",
    "clipPath": "inset(50%)",
    "whiteSpace": "nowrap",
}


def prompt_tools() -> rx.Component:
    """The row below the prompt and, once asked for, the suggestion."""
    return rx.box(
        rx.flex(
            rx.button(
                rx.icon("wand-sparkles", size=16), words.ENHANCE, on_click=EnhanceState.suggest,
                variant="soft", size=SIZE, id="enhance", title=words.ENHANCE_HINT,
            ),
            examples(),
            rx.cond(undoable(), undo_button()),
            counter(),
            gap="8px", align="center", wrap="wrap",
        ),
        rx.box(rx.cond(current(), suggestion()), aria_live="polite"),
        width="100%", margin_top="8px",
    )  # fmt: skip


def current() -> rx.Var[bool] | bool:
    """Whether the suggestion still belongs to what stands in the form."""
    return (
        (EnhanceState.pieces.length() > 0)
        & (EnhanceState.prompt == FormState.prompt)
        & (EnhanceState.model == FormState.model)
        & (EnhanceState.image == FormState.picture.sha256)
    )


def undoable() -> rx.Var[bool] | bool:
    """Whether the prompt still comes from what was put in the place of an own one."""
    own = EnhanceState.own
    follows = FormState.prompt.startswith(EnhanceState.given) | FormState.prompt.startswith(own)
    return (EnhanceState.given != "") & (own != "") & (FormState.prompt != own) & follows


def undo_button() -> rx.Component:
    """Back to the person's own words."""
    return rx.button(
        rx.icon("undo-2", size=16), words.UNDO_PROMPT, on_click=EnhanceState.undo, variant="ghost",
        color_scheme="gray", size=SIZE, id="undo-prompt", title=words.UNDO_PROMPT_HINT,
        margin="0",
    )  # fmt: skip


def counter() -> rx.Component:
    """How much of what the model reads is used."""
    return rx.text(
        FormState.counted.text,
        size="1",
        color=rx.cond(FormState.counted.over, "var(--tomato-11)", "var(--gray-11)"),
        id="counter",
        white_space="nowrap",
        margin_left="auto",
    )


def examples() -> rx.Component:
    """A small menu of prompts that fit the chosen model."""
    with_image = FormState.chosen.needs_image | (FormState.picture.sha256 != "")
    return rx.menu.root(
        rx.menu.trigger(
            rx.button(
                rx.icon("lightbulb", size=16), words.EXAMPLES_BUTTON, variant="soft",
                color_scheme="gray", size=SIZE, id="examples",
            ),
        ),
        rx.menu.content(
            rx.cond(
                FormState.chosen.demo,
                rx.cond(with_image, _examples_of("demo-image"), _examples_of("demo")),
                rx.cond(with_image, _examples_of("image"), _examples_of("text")),
            ),
            size="2",
            max_width="min(480px, calc(100vw - 32px))",
        ),
    )  # fmt: skip


def _examples_of(group: str) -> rx.Component:
    items = (
        rx.menu.item(
            text,
            on_select=EnhanceState.use_example(group, index),
            height="auto",
            padding_y="8px",
            white_space="normal",
            line_height="1.4",
        )
        for index, text in enumerate(words.EXAMPLES[group])
    )
    return rx.fragment(*items)


def suggestion() -> rx.Component:
    """The person's words plain, additions marked; what to know below."""
    return rx.el.section(
        rx.cond(
            EnhanceState.adds,
            rx.el.p(
                rx.foreach(EnhanceState.pieces, _piece),
                id="suggestion",
                style={"whiteSpace": "pre-wrap", "overflowWrap": "anywhere", "margin": "0",
                       "lineHeight": "1.6", "maxHeight": "320px", "overflowY": "auto"},
            ),
        ),
        rx.cond(EnhanceState.notes.length() > 0, notes()),
        rx.flex(
            rx.cond(EnhanceState.adds, _choices()),
            rx.button(
                rx.cond(EnhanceState.adds, words.DISCARD, words.CLOSE_NOTES),
                on_click=EnhanceState.discard, variant="soft", color_scheme="gray", size=SIZE,
                id="discard",
            ),
            gap="8px", wrap="wrap",
        ),
        aria_label=words.SUGGESTION,
        id="enhanced",
        style={"border": "1px solid var(--gray-a6)", "borderRadius": "8px", "padding": "12px 16px",
               "marginTop": "8px", "display": "flex", "flexDirection": "column", "gap": "12px",
               "fontSize": "14px"},
    )  # fmt: skip


def _piece(piece: rx.Var[PieceView]) -> rx.Component:
    return rx.cond(
        piece.dimension == "",
        rx.el.span(piece.text),
        rx.el.ins(
            piece.lead,
            rx.el.span(piece.text, style=UNDERLINED),
            title=piece.dimension,
            style=ADDED,
        ),
    )


def _choices() -> rx.Component:
    return rx.fragment(
        rx.button(words.ACCEPT, on_click=EnhanceState.accept, size=SIZE, id="accept"),
        rx.button(
            words.EDIT, on_click=EnhanceState.edit, variant="soft", size=SIZE, id="edit",
            title=words.EDIT_HINT,
        ),
    )  # fmt: skip


def notes() -> rx.Component:
    """What the enhancer saw, warnings by sign as well as colour."""

    def row(note: rx.Var[NoteView]) -> rx.Component:
        sign = rx.cond(
            note.warning,
            rx.icon("triangle-alert", size=14, color="var(--amber-11)", aria_hidden="true"),
            rx.icon("info", size=14, color="var(--gray-10)", aria_hidden="true"),
        )
        said = rx.cond(note.warning, rx.el.span(words.LOOK, style=HIDDEN))
        return rx.el.li(
            rx.el.span(sign, style={"flex": "none", "paddingTop": "2px"}),
            rx.el.span(said, note.text),
            style={"display": "flex", "gap": "8px"},
            color=rx.cond(note.warning, "var(--gray-12)", "var(--gray-11)"),
        )

    return rx.el.ul(
        rx.foreach(EnhanceState.notes, row),
        id="enhance-notes",
        style={"listStyle": "none", "padding": "0", "margin": "0", "display": "flex",
               "flexDirection": "column", "gap": "6px", "fontSize": "13px"},
    )  # fmt: skip
