"""The stage: empty, at work, playing, or explaining what went wrong."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.components import jobs
from wan22_app.web.layout import empty
from wan22_app.web.live import LiveState
from wan22_app.web.state.stage import StageState
from wan22_app.web.views import JobView, OutputView


def stage() -> rx.Component:
    """A clicked result, else the newest job."""
    focus = LiveState.focus
    return rx.cond(
        StageState.shown.id != "",
        result(StageState.shown),
        rx.match(
            focus.state,
            ("running", at_work(focus)),
            ("queued", at_work(focus)),
            ("succeeded", finished(focus)),
            ("draft", drafted(focus)),
            ("failed", ended(focus)),
            ("quarantined", ended(focus)),
            ("cancelled", ended(focus)),
            nothing(),
        ),
    )


def nothing() -> rx.Component:
    """Before the first video."""
    return rx.el.div(
        rx.vstack(
            rx.icon("clapperboard", size=32, color="var(--gray-9)"),
            rx.text(words.STAGE_EMPTY, size="3", weight="medium"),
            rx.text(words.STAGE_EMPTY_HINT, size="2", color_scheme="gray", text_align="center"),
            align="center",
            padding="16px",
        ),
        class_name="wan-stage",
        id="stage-empty",
    )


def at_work(job: rx.Var[JobView]) -> rx.Component:
    """The live card."""
    running = LiveState.progress.job_id == job.id
    seen = running & (LiveState.progress.preview_url != "")
    return rx.box(
        rx.el.div(
            rx.cond(
                seen,
                jobs.preview(),
                rx.vstack(
                    rx.cond(
                        running, rx.spinner(size="3"), rx.icon("hourglass", color="var(--gray-9)")
                    ),
                    rx.text(job.prompt, size="2", color_scheme="gray", text_align="center"),
                    align="center",
                    padding="24px",
                ),
            ),
            class_name="wan-stage",
        ),
        rx.vstack(
            rx.cond(seen, jobs.headline(job)),
            rx.hstack(jobs.state_badge(job), jobs.steps(job.has_image), wrap="wrap"),
            rx.cond(running, jobs.progress_lines()),
            jobs.cancel_button(job),
            margin_top="12px",
            spacing="3",
            width="100%",
        ),
        id="live-card",
        aria_live="polite",
    )


def player(source: rx.Var[str], poster: rx.Var[str]) -> rx.Component:
    """Plays once, muted, as browsers allow; loops on request of its controls."""
    return rx.el.div(
        rx.el.video(
            src=source, poster=poster, controls=True, auto_play=True, muted=True, loop=True,
            plays_inline=True, preload="auto", aria_label=words.VIDEO_LABEL, id="player",
            key=source,
        ),
        class_name="wan-stage",
    )  # fmt: skip


def caption(text: rx.Var[str], *facts: rx.Var[str] | str) -> rx.Component:
    """The prompt and the facts below a video."""
    return rx.box(
        rx.text(text, size="2"),
        rx.text(*facts, size="1", color_scheme="gray"),
        class_name="wan-grow",
    )


def download(url: rx.Var[str]) -> rx.Component:
    """A link that saves the mp4."""
    anchor = rx.el.a(
        rx.icon("download", size=16),
        words.DOWNLOAD,
        href=url,
        # Else the router takes the address for a page of its own.
        custom_attrs={"reloadDocument": True},
    )
    return rx.button(anchor, as_child=True, size="2", id="download")


def finished(job: rx.Var[JobView]) -> rx.Component:
    """The newest video."""
    return rx.box(
        player(job.video_url, job.poster_url),
        rx.hstack(
            caption(
                job.prompt, job.model, " · ", job.size, " · ", job.duration, " · ", words.SEED, " ",
                job.seed,
            ),
            download(job.download_url),
            jobs.use_button(job.id),
            margin_top="12px",
            wrap="wrap",
            align="start",
        ),
        jobs.reduced(job),
        id="finished",
    )  # fmt: skip


def drafted(job: rx.Var[JobView]) -> rx.Component:
    """The newest draft; what comes of it is decided below."""
    return rx.box(
        rx.el.div(
            rx.vstack(
                jobs.state_badge(job),
                rx.text(words.DRAFT_DONE, size="2", color_scheme="gray", text_align="center"),
                align="center",
                padding="24px",
            ),
            class_name="wan-stage",
            style={"aspectRatio": "auto", "minHeight": "120px"},
        ),
        rx.text(job.prompt, size="2", color_scheme="gray", margin_top="12px"),
        id="drafted",
    )


def result(output: rx.Var[OutputView]) -> rx.Component:
    """An earlier video."""
    return rx.box(
        player(output.video_url, output.poster_url),
        rx.hstack(
            caption(
                output.prompt, output.model, " · ", output.size, " · ", output.duration, " · ",
                words.SEED, " ", output.seed,
            ),
            download(output.download_url),
            jobs.use_button(output.id),
            margin_top="12px",
            wrap="wrap",
            align="start",
        ),
        id="result",
    )  # fmt: skip


def ended(job: rx.Var[JobView]) -> rx.Component:
    """A job without a video, and why."""
    return rx.box(
        rx.el.div(
            rx.vstack(
                jobs.state_badge(job),
                jobs.problem(job),
                jobs.chances(job),
                align="center",
                padding="24px",
                max_width="560px",
            ),
            class_name="wan-stage",
            style={"aspectRatio": "auto", "minHeight": "240px"},
        ),
        rx.text(job.prompt, size="2", color_scheme="gray", margin_top="12px"),
        id="ended-card",
    )


def poster(output: rx.Var[OutputView]) -> rx.Component:
    """A result to click."""
    return rx.el.button(
        rx.el.img(src=output.poster_url, alt="", loading="lazy"),
        rx.el.span(output.duration, " · ", output.model),
        class_name="wan-poster",
        on_click=StageState.show(output.id),
        aria_label=output.label,
        type="button",
    )


def last_results() -> rx.Component:
    """The newest videos, below the stage."""
    return rx.box(
        rx.text(words.LAST_RESULTS, size="2", weight="medium", margin="24px 0 8px"),
        rx.cond(
            LiveState.results.length() > 0,
            rx.el.div(
                rx.foreach(LiveState.results, poster), class_name="wan-posters", id="results"
            ),
            empty(words.OUTPUTS_EMPTY, "images"),
        ),
    )
