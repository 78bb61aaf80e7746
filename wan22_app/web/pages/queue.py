"""What runs, what waits, what has ended."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import jobs
from wan22_app.web.layout import empty, frame, title
from wan22_app.web.live import LiveState
from wan22_app.web.theme import PANEL
from wan22_app.web.views import JobView


def page() -> rx.Component:
    """Three lists."""
    nothing = (LiveState.running.length() == 0) & (LiveState.waiting.length() == 0)
    return frame(
        "/queue",
        title(words.QUEUE),
        rx.vstack(
            rx.cond(
                nothing,
                rx.box(empty(words.QUEUE_EMPTY), width="100%", **PANEL),
                rx.fragment(
                    rx.foreach(LiveState.running, running_card),
                    rx.cond(
                        LiveState.waiting.length() > 0,
                        listing(words.WAITING, "waiting", LiveState.waiting, waiting_row),
                    ),
                ),
            ),
            rx.cond(
                LiveState.recent.length() > 0,
                listing(words.ENDED, "ended", LiveState.recent, ended_row),
                rx.box(empty(words.ENDED_EMPTY, "history"), width="100%", **PANEL),
            ),
            spacing="4",
            width="100%",
        ),
    )


def listing(name: str, id_: str, items: rx.Var, each: object) -> rx.Component:
    """A headed list of rows."""
    return rx.box(
        rx.heading(name, size="3", as_="h2"),
        rx.el.ul(rx.foreach(items, each), id=id_, style={"listStyle": "none", "padding": 0}),
        width="100%",
        **PANEL,
    )


def running_card(job: rx.Var[JobView]) -> rx.Component:
    """The running job, wide."""
    return rx.box(
        rx.hstack(
            jobs.state_badge(job),
            rx.text(job.prompt, size="2", class_name="wan-clip wan-grow"),
            jobs.cancel_button(job),
            align="center",
            width="100%",
        ),
        rx.box(jobs.steps(job.has_image), margin="12px 0"),
        jobs.progress_lines(),
        width="100%",
        id="running",
        **PANEL,
    )


def waiting_row(job: rx.Var[JobView]) -> rx.Component:
    """A waiting job."""
    return jobs.row(job, jobs.cancel_button(job))


def ended_row(job: rx.Var[JobView]) -> rx.Component:
    """An ended job."""
    return jobs.row(job, *jobs.ended_actions(job))
