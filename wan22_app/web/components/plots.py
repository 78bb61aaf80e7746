"""Five small plots of the last hour on one time axis, with what is now beside each."""

import reflex as rx

from wan22_app.web import words
from wan22_app.web.layout import empty
from wan22_app.web.live import LiveState
from wan22_app.web.plots import Reading, Span, WarningView
from wan22_app.web.theme import PANEL

HEIGHT = 64
PERCENT = 100


def machine() -> rx.Component:
    """The panel: warnings, then the plots."""
    figures = LiveState.figures
    return rx.box(
        rx.hstack(
            rx.heading(words.LAST_HOUR, size="3", as_="h2"),
            rx.spacer(),
            rx.text(words.JOB_SPANS, size="1", color_scheme="gray"),
            align="baseline",
        ),
        rx.cond(
            figures.known,
            rx.fragment(
                rx.cond(figures.old, rx.text(words.OLD_FIGURES, size="1", color_scheme="amber")),
                plot(words.CPU, figures.cpu, chart("cpu", PERCENT)),
                plot(words.RAM, figures.ram, chart("ram", figures.ram_total, figures.ram_line)),
                plot(words.GPU, figures.gpu, chart("gpu", PERCENT)),
                plot(
                    words.VRAM, figures.vram, chart("vram", figures.vram_total, figures.vram_line)
                ),
                plot(
                    words.DISK, figures.disk, chart("disk", figures.disk_total, figures.disk_line)
                ),
                axis(),
            ),
            empty(words.NO_FIGURES, "activity"),
        ),
        width="100%",
        id="machine",
        **PANEL,
    )


def plot(name: str, reading: rx.Var[Reading], hour: rx.Component) -> rx.Component:
    """One figure: its name, its value now, and its hour; or that the machine does not tell it."""
    return rx.box(
        rx.hstack(
            rx.text(name, size="1", color_scheme="gray"),
            rx.spacer(),
            rx.cond(
                reading.told,
                rx.text(reading.text, size="2", weight="medium", class_name="wan-now"),
                rx.text(reading.text, size="1", color_scheme="gray"),
            ),
            align="baseline",
        ),
        rx.cond(reading.told, rx.box(hour, class_name="wan-plot")),
        role="group",
        aria_label=name,
        margin_top="12px",
    )


def chart(key: str, top: float | rx.Var[float], line: rx.Var[float] | None = None) -> rx.Component:
    """The area, the line of warning, and the shaded spans in which a job was at work."""
    return rx.recharts.area_chart(
        rx.foreach(LiveState.spans, shade),
        rx.recharts.area(
            data_key=key,
            type_="linear",
            stroke="var(--accent-9)",
            fill="var(--accent-a4)",
            stroke_width=1.5,
            dot=False,
            active_dot=False,
            is_animation_active=False,
            connect_nulls=False,
        ),
        *(
            [
                rx.recharts.reference_line(
                    y=line.to(int), stroke="var(--amber-9)", stroke_dasharray="3 3", stroke_width=1
                )
            ]
            if line is not None
            else []
        ),
        rx.recharts.x_axis(
            data_key="minutes", type_="number", domain=[-60, 0], hide=True, allow_data_overflow=True
        ),
        rx.recharts.y_axis(hide=True, domain=[0, top], allow_data_overflow=True),
        data=LiveState.series,
        height=HEIGHT,
        width="100%",
        sync_id="machine",
        margin={"top": 2, "right": 0, "left": 0, "bottom": 0},
    )


def axis() -> rx.Component:
    """The one time axis below all plots."""
    return rx.flex(
        *(rx.text(text, size="1", color_scheme="gray") for text in words.TIMES),
        justify="between",
        margin_top="4px",
        aria_hidden="true",
    )


def shade(span: rx.Var[Span]) -> rx.Component:
    """When a job ran."""
    return rx.recharts.reference_area(
        x1=span.begin.to(int), x2=span.end.to(int), fill="var(--gray-9)", fill_opacity=0.14,
        stroke_opacity=0, if_overflow="hidden",
    )  # fmt: skip


def warnings() -> rx.Component:
    """What runs out soon, and what to do."""
    return rx.box(
        rx.foreach(LiveState.warnings, lambda item: warning(item, "amber")),
        id="warnings",
        aria_live="polite",
        width="100%",
    )


def blocked() -> rx.Component:
    """Why nothing starts at all; on every page where somebody waits for a job."""
    return rx.box(
        rx.foreach(LiveState.blocked, lambda item: warning(item, "red")),
        id="blocked",
        role="alert",
        width="100%",
    )


def warning(item: rx.Var[WarningView], colour: str) -> rx.Component:
    """One of them."""
    return rx.callout.root(
        rx.callout.icon(rx.icon("triangle-alert", size=16)),
        rx.callout.text(rx.text.strong(item.what), " ", item.cure),
        color_scheme=colour,
        size="1",
        margin_bottom="12px",
    )
