"""The gallery: a bar that reads as a sentence, and an even grid of posters."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components.detail import star
from wan22_app.web.layout import empty
from wan22_app.web.recipe_view import TileView
from wan22_app.web.state.brought import BROUGHT_ID, BroughtState
from wan22_app.web.state.detail import DetailState
from wan22_app.web.state.outputs import ANY, Choice, OutputsState

SKELETONS = 12
TYPING_MS = 250


def bar() -> rx.Component:
    """Show [all videos] made with [any model] about [words]; and how many that are."""
    return rx.el.div(
        rx.el.div(
            part(words.SENTENCE_SHOW, shelf_choice()),
            part(words.SENTENCE_MADE, model_choice()),
            part(words.SENTENCE_ABOUT, search_box(), "wan-search"),
            class_name="wan-sentence",
            role="search",
        ),
        rx.el.div(
            rx.text(
                OutputsState.count, size="2", color_scheme="gray", id="count", role="status",
                white_space="nowrap",
            ),
            rx.cond(OutputsState.shelf == "bin", empty_bin(), open_recipe()),
            class_name="wan-bar-end",
        ),
        class_name="wan-bar",
    )  # fmt: skip


def part(text: str, control: rx.Component, class_name: str = "") -> rx.Component:
    """Words of the sentence and the gap to fill in."""
    return rx.el.div(rx.el.span(text), control, class_name=f"wan-part {class_name}")


def shelf_choice() -> rx.Component:
    """All, favourites, bin."""
    items = [rx.select.item(name, value=key) for key, name in words.SHELVES.items()]
    return rx.select.root(
        rx.select.trigger(id="shelf", aria_label=words.SHELF),
        rx.select.content(*items),
        value=OutputsState.shelf,
        on_change=OutputsState.choose_shelf,
    )


def model_choice() -> rx.Component:
    """Any model, or one that made something."""

    def item(choice: rx.Var[Choice]) -> rx.Component:
        return rx.select.item(choice.name, value=choice.key)

    return rx.select.root(
        rx.select.trigger(id="made-with", aria_label=words.MODEL),
        rx.select.content(
            rx.select.item(words.ANY_MODEL, value=ANY), rx.foreach(OutputsState.models, item)
        ),
        value=OutputsState.model,
        on_change=OutputsState.choose_model,
    )


def search_box() -> rx.Component:
    """Waits until the fingers rest."""
    return rx.debounce_input(
        rx.input(
            id="search",
            value=OutputsState.text,
            placeholder=words.SEARCH_HINT,
            on_change=OutputsState.search,
            type="search",
            aria_label=words.SEARCH,
            auto_complete=False,
            max_length=200,
            width="100%",
        ),
        debounce_timeout=TYPING_MS,
    )


def open_recipe() -> rx.Component:
    """Choose an mp4; the page's script reads its headers and hands them to the hidden upload."""
    return rx.fragment(
        rx.el.label(
            rx.el.input(id="recipe-file", type="file", accept="video/mp4,.mp4"),
            rx.icon("scan-search", size=16),
            words.OPEN_RECIPE,
            class_name="wan-file",
            title=words.OPEN_RECIPE_HINT,
        ),
        rx.box(
            rx.upload(
                id=BROUGHT_ID,
                multiple=False,
                max_files=1,
                no_drag=True,
                on_drop=BroughtState.take(rx.upload_files(upload_id=BROUGHT_ID)),
            ),
            display="none",
            aria_hidden=True,
        ),
    )


def empty_bin() -> rx.Component:
    """Asks first: this cannot be undone."""
    return rx.alert_dialog.root(
        rx.alert_dialog.trigger(
            rx.button(
                rx.icon("trash-2", size=16), words.EMPTY_BIN, variant="soft",
                color_scheme="tomato", disabled=OutputsState.tiles.length() == 0, id="empty-bin",
            )
        ),
        rx.alert_dialog.content(
            rx.alert_dialog.title(words.EMPTY_BIN_ASK, size="4"),
            rx.alert_dialog.description(words.EMPTY_BIN_COST, size="2"),
            rx.hstack(
                rx.alert_dialog.cancel(
                    rx.button(words.KEEP, variant="soft", color_scheme="gray")
                ),
                rx.alert_dialog.action(
                    rx.button(
                        words.EMPTY_BIN, color_scheme="tomato", on_click=OutputsState.empty_bin
                    )
                ),
                justify="end",
                margin_top="16px",
            ),
            max_width="440px",
        ),
    )  # fmt: skip


def gallery() -> rx.Component:
    """The grid with its two ends, or why it is empty."""
    return rx.el.section(
        rx.cond(
            OutputsState.shelf == "bin",
            rx.text(words.BIN_NOTE, size="2", color_scheme="gray", margin_bottom="12px"),
        ),
        rx.cond(
            OutputsState.newer,
            end("load-newer", words.LOAD_NEWER, OutputsState.load_newer),
        ),
        rx.cond(
            OutputsState.ready,
            rx.cond(
                OutputsState.tiles.length() > 0,
                rx.el.ul(
                    rx.foreach(OutputsState.tiles, tile), class_name="wan-gallery", id="gallery"
                ),
                nothing(),
            ),
            skeletons(),
        ),
        rx.cond(OutputsState.more, end("load-more", words.LOAD_MORE, OutputsState.load_more)),
        aria_label=words.OUTPUTS,
        class_name="wan-gallery-side",
    )


def end(id_: str, text: str, load: rx.EventHandler) -> rx.Component:
    """Pressed by the page when it comes near; a person can press it, too.

    A new element after each load, so that one that is still in sight is noticed again.
    """
    return rx.el.div(
        rx.button(text, on_click=load, variant="soft", color_scheme="gray", id=id_),
        key=id_ + OutputsState.loads.to_string(),
        class_name="wan-end",
    )


def tile(view: rx.Var[TileView]) -> rx.Component:
    """A poster to open, its caption and its star."""
    return rx.el.li(
        rx.el.button(
            rx.cond(view.gone, gone_poster(), poster(view)),
            rx.el.span(
                rx.el.span(view.duration),
                rx.cond(view.reduced != "", rx.el.span(words.REDUCED_MARK, title=view.reduced)),
                rx.el.span(view.model, class_name="wan-clip"),
                class_name="wan-caption",
            ),
            on_click=[BroughtState.close, DetailState.open(view.id)],
            class_name="wan-open",
            type="button",
            aria_label=view.label,
            aria_current=rx.cond(DetailState.view.id == view.id, "true", "false"),
        ),
        rx.cond(
            OutputsState.shelf == "bin",
            corner("undo-2", words.RESTORE, OutputsState.restore(view.id)),
            star(view.id, view.favourite, "wan-corner"),
        ),
        key=view.id,
        class_name="wan-tile",
        custom_attrs={
            "data-output": view.id,
            "data-video": view.video_url,
            "data-open": rx.cond(DetailState.view.id == view.id, "true", "false"),
        },
    )


def poster(view: rx.Var[TileView]) -> rx.Component:
    """The first frame; the preview is laid over it by the page's script."""
    return rx.el.span(
        rx.el.img(src=view.poster_url, alt="", loading="lazy", decoding="async"),
        rx.el.span(class_name="wan-hover"),
        class_name=rx.cond(view.wide, "wan-thumb wan-wide", "wan-thumb"),
    )


def gone_poster() -> rx.Component:
    """Somebody removed the file."""
    return rx.el.span(
        rx.icon("file-x-2", size=22),
        rx.el.span(words.FILE_GONE),
        class_name="wan-thumb wan-thumb-gone",
    )


def corner(icon: str, label: str, action: rx.event.EventSpec) -> rx.Component:
    """A small button on a poster."""
    return rx.el.button(
        rx.icon(icon, size=16), on_click=action, class_name="wan-corner", type="button",
        aria_label=label, title=label,
    )  # fmt: skip


def skeletons() -> rx.Component:
    """Of the size of what comes."""
    box = rx.el.li(class_name="wan-tile wan-skeleton", aria_hidden=True)
    return rx.el.ul(
        *[box] * SKELETONS, class_name="wan-gallery", aria_label=words.OUTPUTS_LOADING,
        aria_busy=True,
    )  # fmt: skip


def nothing() -> rx.Component:
    """Why there is nothing, and the way out."""
    filtered = (OutputsState.text != "") | (OutputsState.model != ANY)
    return rx.cond(
        filtered,
        rx.vstack(
            empty(words.NOTHING_FOUND, "search-x"),
            rx.button(
                words.CLEAR_FILTERS, on_click=OutputsState.clear, variant="soft",
                color_scheme="gray",
            ),
            align="center",
            width="100%",
        ),
        rx.match(
            OutputsState.shelf,
            ("favourites", empty(words.NO_FAVOURITES, "star")),
            ("bin", empty(words.BIN_EMPTY, "trash-2")),
            empty(words.OUTPUTS_EMPTY, "images"),
        ),
    )  # fmt: skip


def undo_button() -> rx.Component:
    """Pressed by the toast, which cannot send events itself."""
    output = rx.Var("document.getElementById('undo').dataset.output ?? ''").to(str)
    return rx.el.button(
        id="undo", hidden=True, type="button", tab_index=-1, on_click=OutputsState.restore(output)
    )
