"""Beside the grid: the open video with its recipe, or the recipe that was dropped."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.recipe_view import RecipeLine
from wan22_app.web.state.brought import BroughtState
from wan22_app.web.state.detail import DetailState
from wan22_app.web.state.outputs import OutputsState

NOW = "document.querySelector('#detail video')?.currentTime ?? 0"
"""Read in the browser at the moment of the click."""


def side() -> rx.Component:
    """Whichever of the two is open."""
    return rx.cond(
        BroughtState.title != "", brought(), rx.cond(DetailState.view.id != "", detail())
    )


def detail() -> rx.Component:
    """Player, actions, recipe."""
    view = DetailState.view
    return rx.el.aside(
        rx.hstack(
            rx.text(view.facts, size="1", color_scheme="gray", class_name="wan-grow"),
            star(view.id, view.favourite, "wan-quiet"),
            close("close-detail", DetailState.close),
            align="center",
            width="100%",
        ),
        rx.cond(view.gone, gone(), player()),
        rx.text(view.prompt, size="3", class_name="wan-prompt"),
        rx.cond(view.binned, binned_actions(), actions()),
        # The prompt, which is the first line, stands above already.
        recipe(DetailState.lines[1:], view.prompt, DetailState.text),
        id="detail",
        class_name="wan-detail",
        aria_label=words.VIDEO_DETAILS,
        custom_attrs={"data-output": view.id},
    )


def player() -> rx.Component:
    """The video, and below it what moves by single frames."""
    view = DetailState.view
    return rx.box(
        rx.el.div(
            rx.el.video(
                src=view.video_url,
                poster=view.poster_url,
                controls=True,
                muted=True,
                loop=DetailState.loop,
                plays_inline=True,
                preload="auto",
                key=view.video_url,
                aria_label=words.VIDEO_LABEL,
                custom_attrs={"data-fps": view.fps, "data-frames": view.frames},
            ),
            class_name="wan-stage",
            style={"aspectRatio": view.ratio},
        ),
        rx.hstack(
            step("chevron-left", words.FRAME_BACK, "-1"),
            step("chevron-right", words.FRAME_ON, "1"),
            rx.el.span(
                id="frame-number",
                class_name="wan-frame",
                custom_attrs={"data-text": words.FRAME_NUMBER},
            ),
            rx.spacer(),
            rx.button(
                rx.icon("repeat", size=16), words.LOOP, on_click=DetailState.toggle_loop,
                variant=rx.cond(DetailState.loop, "soft", "ghost"),
                color_scheme=rx.cond(DetailState.loop, "iris", "gray"),
                custom_attrs={"aria-pressed": rx.cond(DetailState.loop, "true", "false")},
                class_name="wan-touch",
            ),
            align="center",
            width="100%",
            margin_top="8px",
        ),
        width="100%",
    )  # fmt: skip


def step(icon: str, label: str, by: str) -> rx.Component:
    """One frame; done by the page's script."""
    return rx.icon_button(
        rx.icon(icon, size=18), variant="soft", color_scheme="gray", aria_label=label, title=label,
        custom_attrs={"data-step": by}, class_name="wan-touch",
    )  # fmt: skip


def gone() -> rx.Component:
    """Nothing to play, but the recipe is in the database."""
    return rx.el.div(
        rx.vstack(
            rx.icon("file-x-2", size=28, color="var(--gray-9)"),
            rx.text(words.FILE_GONE, size="3", weight="medium"),
            rx.text(words.FILE_GONE_HINT, size="2", color_scheme="gray", text_align="center"),
            align="center",
            padding="16px",
        ),
        class_name="wan-stage",
    )


def actions() -> rx.Component:
    """What can be done with a video of the gallery."""
    view = DetailState.view
    return rx.el.div(
        button("undo-2", words.USE_SETTINGS, DetailState.use(view.id)),
        rx.cond(
            ~view.gone,
            rx.fragment(
                button(
                    "image-up",
                    words.FRAME_AS_START,
                    DetailState.take_frame(view.id, rx.Var(NOW).to(float)),
                ),
                button("step-forward", words.GO_ON, DetailState.go_on(view.id)),
                download(),
            ),
        ),
        button("trash-2", words.DELETE, OutputsState.delete(view.id)),
        class_name="wan-actions",
    )


def binned_actions() -> rx.Component:
    """What can be done with one in the bin."""
    view = DetailState.view
    return rx.box(
        rx.callout(words.BINNED_NOTE, icon="trash-2", size="1", color_scheme="gray"),
        rx.el.div(
            button("undo-2", words.RESTORE, OutputsState.restore(view.id)),
            class_name="wan-actions",
            style={"marginTop": "8px"},
        ),
    )


def button(icon: str, text: str, action: rx.event.EventSpec) -> rx.Component:
    """An action with a sign and a name."""
    return rx.button(
        rx.icon(icon, size=16), text, on_click=action, variant="soft", color_scheme="gray",
        class_name="wan-touch",
    )  # fmt: skip


def download() -> rx.Component:
    """A link that saves the mp4."""
    anchor = rx.el.a(
        rx.icon("download", size=16),
        words.DOWNLOAD,
        href=DetailState.view.download_url,
        # Else the router takes the address for a page of its own.
        custom_attrs={"reloadDocument": True},
    )
    return rx.button(
        anchor, as_child=True, variant="soft", color_scheme="gray", id="download",
        class_name="wan-touch",
    )  # fmt: skip


def star(output_id: rx.Var[str], favourite: rx.Var[bool], class_name: str) -> rx.Component:
    """Favourite or not: a filled star or an empty one, and a name that says what a click does."""
    label = rx.cond(favourite, words.FAVOURITE_REMOVE, words.FAVOURITE_ADD)
    return rx.el.button(
        rx.icon("star", size=16, fill=rx.cond(favourite, "currentColor", "none")),
        on_click=OutputsState.star(output_id, ~favourite),
        class_name=f"{class_name} wan-star",
        type="button",
        aria_label=label,
        title=label,
        custom_attrs={"data-on": rx.cond(favourite, "true", "false")},
    )


def close(id_: str, action: rx.EventHandler) -> rx.Component:
    """Escape does the same."""
    return rx.icon_button(
        rx.icon("x", size=18), on_click=action, variant="ghost", color_scheme="gray", id=id_,
        aria_label=words.CLOSE_VIDEO, title=words.CLOSE_VIDEO, class_name="wan-touch",
    )  # fmt: skip


def brought() -> rx.Component:
    """A recipe out of a file."""
    return rx.el.aside(
        rx.hstack(
            rx.heading(BroughtState.title, size="3", as_="h2", class_name="wan-grow wan-break"),
            close("close-brought", BroughtState.close),
            align="start",
            width="100%",
        ),
        rx.cond(
            BroughtState.fault != "",
            rx.callout.root(
                rx.callout.icon(rx.icon("circle-alert", size=16)),
                rx.callout.text(BroughtState.fault),
                color_scheme="tomato",
                size="1",
                role="alert",
            ),
            rx.fragment(
                differences(),
                rx.el.div(
                    button("undo-2", words.USE_SETTINGS, BroughtState.use),
                    class_name="wan-actions",
                ),
                recipe(BroughtState.lines, BroughtState.lines[0].value, BroughtState.text),
            ),
        ),
        id="brought",
        class_name="wan-detail",
        aria_label=BroughtState.title,
    )


def differences() -> rx.Component:
    """What would not be equal here."""
    return rx.cond(
        BroughtState.differences.length() > 0,
        rx.callout.root(
            rx.callout.icon(rx.icon("triangle-alert", size=16)),
            rx.el.div(
                rx.text(words.DIFFERS_HERE, size="2", weight="medium"),
                rx.el.ul(
                    rx.foreach(BroughtState.differences, lambda text: rx.el.li(text)),
                    class_name="wan-list",
                ),
            ),
            color_scheme="amber",
            size="1",
            id="differences",
        ),
        rx.callout(
            words.SAME_HERE, icon="circle-check", color_scheme="grass", size="1", id="differences"
        ),
    )


def recipe(lines: rx.Var[list[RecipeLine]], prompt: rx.Var[str], text: rx.Var[str]) -> rx.Component:
    """The whole recipe, line by line."""
    return rx.box(
        rx.hstack(
            rx.heading(words.RECIPE, size="3", as_="h2"),
            rx.spacer(),
            copy_button(words.COPY_PROMPT, prompt),
            copy_button(words.COPY_RECIPE, text),
            align="center",
            width="100%",
            wrap="wrap",
        ),
        rx.el.dl(rx.foreach(lines, line), class_name="wan-recipe"),
        width="100%",
    )


def line(item: rx.Var[RecipeLine]) -> rx.Component:
    """One fact."""
    return rx.el.div(
        rx.el.dt(item.name),
        rx.el.dd(item.value, class_name=rx.cond(item.code, "wan-code", "")),
    )


def copy_button(label: str, text: rx.Var[str]) -> rx.Component:
    """Copied by the page's script, which also works without https."""
    return rx.button(
        rx.icon("copy", size=14), label, variant="ghost", color_scheme="gray", size="1",
        on_click=rx.toast.success(words.COPIED), custom_attrs={"data-copy": text},
        class_name="wan-touch",
    )  # fmt: skip
