"""The queue: what runs, what waits and in which order, what has ended and why."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import jobs
from wan22_app.web.layout import empty, icon_button
from wan22_app.web.live import LiveState
from wan22_app.web.state.detail import DetailState
from wan22_app.web.state.queue import QueueState, StoryLine
from wan22_app.web.state.stage import StageState
from wan22_app.web.theme import PANEL
from wan22_app.web.urls import OUTPUTS_ROUTE
from wan22_app.web.views import JobView


class DragItem(rx.el.Li):
    """A list item that can be dragged onto another one."""

    on_drag_start: rx.EventHandler[rx.event.no_args_event_spec]
    on_drag_over: rx.EventHandler[rx.event.no_args_event_spec]
    on_drop: rx.EventHandler[rx.event.no_args_event_spec]


def running_card(job: rx.Var[JobView]) -> rx.Component:
    """The running job, wide."""
    return rx.box(
        rx.hstack(
            jobs.state_badge(job),
            rx.text(job.model, " · ", job.size, " · ", job.duration, size="1", color_scheme="gray"),
            rx.spacer(),
            story_button(job),
            jobs.cancel_button(job),
            align="center",
            width="100%",
        ),
        rx.flex(
            rx.cond(
                LiveState.progress.preview_url != "",
                rx.box(jobs.preview(), class_name="wan-preview-box"),
            ),
            rx.box(
                jobs.headline(job),
                rx.box(jobs.steps(job.has_image), margin="12px 0"),
                jobs.progress_lines(),
                class_name="wan-grow",
            ),
            gap="16px",
            wrap="wrap",
            margin_top="8px",
        ),
        story(job),
        width="100%",
        id="running",
        **PANEL,
    )


def waiting() -> rx.Component:
    """The waiting jobs in their order, and the switch that stops them all."""
    return rx.box(
        rx.hstack(
            rx.heading(words.WAITING, size="3", as_="h2"),
            rx.spacer(),
            pause_switch(),
            align="center",
        ),
        rx.cond(
            LiveState.queue_paused,
            rx.callout(
                words.QUEUE_PAUSED, icon="pause", size="1", color_scheme="amber", margin_top="8px",
                id="queue-paused",
            ),
        ),
        rx.cond(
            LiveState.waiting.length() > 0,
            rx.el.ul(
                rx.foreach(LiveState.waiting, waiting_row), id="waiting", class_name="wan-rows"
            ),
            rx.text(
                rx.cond(LiveState.running.length() > 0, words.NOTHING_WAITS, words.QUEUE_EMPTY),
                size="2", color_scheme="gray", padding="16px 0 4px",
            ),
        ),
        width="100%",
        **PANEL,
    )  # fmt: skip


def pause_switch() -> rx.Component:
    """Stops everything that waits, and lets it go on."""
    return rx.cond(
        LiveState.queue_paused,
        rx.button(
            rx.icon("play", size=16), words.RESUME_QUEUE, on_click=QueueState.resume_queue,
            size="2", variant="soft",
        ),
        rx.button(
            rx.icon("pause", size=16), words.PAUSE_QUEUE, on_click=QueueState.pause_queue,
            size="2", variant="soft", color_scheme="gray",
        ),
    )  # fmt: skip


def waiting_row(job: rx.Var[JobView]) -> rx.Component:
    """A waiting job: it can be moved by its buttons or dragged to another place."""
    return DragItem.create(
        rx.el.span(
            rx.icon("grip-vertical", size=16), class_name="wan-grip", title=words.GRIP,
            aria_hidden="true",
        ),
        rx.el.div(
            jobs.headline(job),
            jobs.facts(job, rx.cond(job.starts != "", " · " + job.starts, "")),
            story(job),
            class_name="wan-grow",
        ),
        rx.hstack(
            icon_button(
                "chevrons-up", words.MOVE_FIRST, on_click=QueueState.move(job.id, "first"),
                disabled=job.first,
            ),
            icon_button(
                "chevron-up", words.MOVE_UP, on_click=QueueState.move(job.id, "up"),
                disabled=job.first,
            ),
            icon_button(
                "chevron-down", words.MOVE_DOWN, on_click=QueueState.move(job.id, "down"),
                disabled=job.last,
            ),
            rx.cond(
                job.paused,
                icon_button("play", words.RESUME, on_click=QueueState.resume(job.id)),
                icon_button("pause", words.PAUSE, on_click=QueueState.pause(job.id)),
            ),
            story_button(job),
            icon_button("x", words.CANCEL, on_click=StageState.cancel(job.id)),
            spacing="2",
            class_name="wan-actions",
        ),
        class_name="wan-row",
        custom_attrs={"draggable": True},
        on_drag_start=QueueState.grab(job.id),
        on_drag_over=rx.prevent_default,
        on_drop=QueueState.drop_on(job.id).prevent_default,
    )  # fmt: skip


def ended() -> rx.Component:
    """What has ended, filtered by how."""
    return rx.box(
        rx.flex(
            rx.heading(words.ENDED, size="3", as_="h2"),
            rx.spacer(),
            rx.box(
                rx.segmented_control.root(
                    *(
                        rx.segmented_control.item(text, value=kind)
                        for kind, text in words.FILTERS.items()
                    ),
                    value=QueueState.kind,
                    on_change=QueueState.choose_kind,
                    aria_label=words.SHOW,
                    size="1",
                    id="ended-filter",
                ),
                overflow_x="auto",
                max_width="100%",
            ),
            wrap="wrap",
            gap="8px",
            align="center",
        ),
        rx.cond(
            QueueState.ended.length() > 0,
            rx.el.ul(rx.foreach(QueueState.ended, ended_row), id="ended", class_name="wan-rows"),
            rx.cond(
                QueueState.looked,
                empty(
                    rx.cond(QueueState.kind == "all", words.ENDED_EMPTY, words.NOTHING_OF_KIND),
                    "history",
                ),
                rx.skeleton(rx.box(height="120px", width="100%")),
            ),
        ),
        rx.cond(
            QueueState.more,
            rx.button(
                words.MORE, on_click=QueueState.show_more, variant="soft", color_scheme="gray",
                size="2", width="100%",
            ),
        ),
        width="100%",
        **PANEL,
    )  # fmt: skip


def ended_row(job: rx.Var[JobView]) -> rx.Component:
    """An ended job with its poster, its problem, and what can be done with it."""
    return rx.el.li(
        rx.cond(
            job.poster_url != "",
            rx.el.button(
                rx.el.img(src=job.poster_url, alt="", loading="lazy", class_name="wan-mini"),
                on_click=[DetailState.open(job.id), rx.redirect(OUTPUTS_ROUTE)],
                class_name="wan-mini-open",
                aria_label=words.OPEN_ENDED + ": " + job.prompt,
                title=words.OPEN_ENDED,
            ),
            rx.el.span(rx.icon("film", size=16), class_name="wan-mini", aria_hidden="true"),
        ),
        rx.el.div(
            jobs.headline(job),
            jobs.facts(job),
            jobs.reduced(job),
            jobs.problem(job),
            rx.cond(job.what != "", jobs.chances(job)),
            story(job),
            class_name="wan-grow",
        ),
        rx.hstack(
            story_button(job), *jobs.ended_actions(job), spacing="2", class_name="wan-actions"
        ),
        class_name="wan-row",
    )


def story_button(job: rx.Var[JobView]) -> rx.Component:
    """Opens what happened, line by line."""
    return icon_button(
        "history", words.STORY, on_click=QueueState.toggle_story(job.id),
        aria_expanded=QueueState.opened == job.id,
    )  # fmt: skip


def story(job: rx.Var[JobView]) -> rx.Component:
    """The job's story, where it is open."""
    return rx.cond(
        QueueState.opened == job.id,
        rx.fragment(
            rx.text(job.lineage, size="1", color_scheme="gray", margin_top="12px"),
            rx.el.ol(
                rx.foreach(QueueState.story, story_line),
                class_name="wan-story",
                aria_label=words.STORY,
            ),
        ),
    )


def story_line(line: rx.Var[StoryLine]) -> rx.Component:
    """When, what, and the problem with its cure; the evidence folded."""
    return rx.el.li(
        rx.el.time(line.at),
        rx.el.div(
            rx.text(line.text, size="2"),
            rx.cond(
                line.what != "",
                rx.text(line.what, " ", line.cause, " ", line.cure, size="1", color_scheme="gray"),
            ),
            rx.cond(line.evidence != "", jobs.evidence(line.evidence)),
            class_name="wan-grow",
        ),
    )
