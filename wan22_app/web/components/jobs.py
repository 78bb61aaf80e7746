"""Jobs as cards and rows."""

import reflex as rx

from wan22_app.domain.events import Stage
from wan22_app.web import words
from wan22_app.web.components.drafts import moving
from wan22_app.web.live import LiveState
from wan22_app.web.state.form import FormState
from wan22_app.web.state.stage import StageState
from wan22_app.web.theme import STATE_COLORS
from wan22_app.web.views import DRAFT, JobView


def state_badge(job: rx.Var[JobView]) -> rx.Component:
    """The state in words and colour."""
    color = rx.match(job.state, *STATE_COLORS.items(), "gray")
    return rx.badge(job.state_text, color_scheme=color, variant="soft")


def steps(has_image: rx.Var[bool]) -> rx.Component:
    """The stages as a line, the current one marked."""

    def item(stage: Stage) -> rx.Component:
        entry = rx.el.li(
            words.SHORT_STAGES[stage],
            aria_current=rx.cond(LiveState.progress.stage == str(stage), "step", "false"),
        )
        return rx.cond(has_image, entry) if stage is Stage.IMAGE else entry

    return rx.el.ol(*(item(stage) for stage in Stage), class_name="wan-steps")


def preview() -> rx.Component:
    """What the running job is going to show: small, soft, and newer after each step."""
    return moving(LiveState.progress.preview_url, words.PREVIEW_LABEL)


def progress_lines() -> rx.Component:
    """Stage, count, expert, bar and times of the running job."""
    progress = LiveState.progress
    return rx.vstack(
        rx.hstack(
            rx.text(progress.stage_text, weight="medium", size="2", id="stage-text"),
            rx.text(progress.count, size="2", id="stage-count"),
            rx.text(progress.expert, size="2", color_scheme="gray"),
            rx.spacer(),
            rx.text(
                progress.elapsed,
                " ",
                words.ELAPSED,
                rx.cond(progress.left != "", " · " + progress.left + " " + words.LEFT, ""),
                size="2",
                color_scheme="gray",
            ),
            width="100%",
            wrap="wrap",
        ),
        rx.progress(value=progress.percent, size="2", aria_label=words.JOB_PROGRESS),
        width="100%",
        spacing="2",
    )


def cancel_button(job: rx.Var[JobView]) -> rx.Component:
    """Ends a waiting or running job."""
    return rx.button(
        words.CANCEL,
        on_click=StageState.cancel(job.id),
        disabled=job.cancelling,
        variant="soft",
        color_scheme="gray",
        size="2",
    )


def problem(job: rx.Var[JobView]) -> rx.Component:
    """What happened, why, what to do, and the evidence folded."""
    return rx.cond(
        job.what != "",
        rx.box(
            rx.text(job.what, size="2", weight="medium"),
            rx.text(job.cause, " ", job.cure, size="2", color_scheme="gray"),
            rx.cond(job.evidence != "", evidence(job.evidence)),
        ),
    )


def evidence(text: rx.Var[str]) -> rx.Component:
    """Logs and figures, folded."""
    return rx.el.details(
        rx.el.summary(words.EVIDENCE, style={"cursor": "pointer", "fontSize": "12px"}),
        rx.el.div(text, class_name="wan-evidence"),
    )


def headline(job: rx.Var[JobView]) -> rx.Component:
    """The prompt in one line."""
    return rx.text(job.prompt, size="2", class_name="wan-clip", max_width="100%")


def facts(job: rx.Var[JobView], *more: rx.Var[str] | str) -> rx.Component:
    """State, model, size, length and when."""
    return rx.hstack(
        state_badge(job),
        rx.text(
            job.model, " · ", job.size, " · ", job.duration, " · ", job.created, *more, size="1",
            color_scheme="gray",
        ),
        wrap="wrap",
        spacing="2",
        margin_top="4px",
    )  # fmt: skip


def chances(job: rx.Var[JobView]) -> rx.Component:
    """What can be tried after a failure; what costs the least time first."""
    return rx.flex(
        rx.cond(
            job.decodable,
            rx.button(
                rx.icon("film", size=16), words.DECODE_AGAIN, size="2", variant="soft",
                on_click=StageState.decode_again(job.id), title=words.DECODE_AGAIN_HINT,
            ),
        ),
        rx.cond(
            job.change != "",
            rx.button(
                rx.icon("minimize-2", size=16), words.TRY_WITH + job.change, size="2",
                variant="soft", on_click=StageState.retry_lighter(job.id), class_name="wan-wrap",
            ),
        ),
        rx.button(
            rx.icon("rotate-cw", size=16), words.RETRY, size="2", variant="soft",
            color_scheme="gray", on_click=StageState.retry(job.id),
        ),
        wrap="wrap",
        gap="8px",
        class_name="wan-actions wan-chances",
    )  # fmt: skip


def reduced(job: rx.Var[JobView]) -> rx.Component:
    """What was made less than it was asked, where that is so."""
    return rx.cond(job.reduced != "", rx.text(job.reduced, size="1", color_scheme="gray"))


def ended_actions(job: rx.Var[JobView]) -> tuple[rx.Component, ...]:
    """What can be done with an ended job; after a failure more is offered below its words."""
    is_draft = job.state == DRAFT
    return (
        rx.cond(
            job.keepable,
            rx.icon_button(
                rx.icon("check", size=16), on_click=StageState.keep_draft(job.id),
                variant="soft", aria_label=words.DRAFT_KEEP, title=words.DRAFT_KEEP,
            ),
        ),
        rx.cond(
            (job.what == "") & ~job.keepable,
            rx.icon_button(
                rx.icon("rotate-cw", size=16), on_click=StageState.retry(job.id),
                variant="soft", color_scheme="gray", aria_label=words.RETRY, title=words.RETRY,
            ),
        ),
        rx.icon_button(
            rx.icon("x", size=16),
            on_click=rx.cond(
                is_draft, StageState.discard_draft(job.id), StageState.remove(job.id)
            ),
            variant="soft", color_scheme="gray", aria_label=words.REMOVE, title=words.REMOVE,
        ),
    )  # fmt: skip


def use_button(job_id: rx.Var[str]) -> rx.Component:
    """Fills the form with a job's settings."""
    return rx.button(
        rx.icon("undo-2", size=16), words.USE_SETTINGS, on_click=FormState.use_job(job_id),
        variant="soft", color_scheme="gray", size="2",
    )  # fmt: skip
