"""The four pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx

from wan22_app.web import words
from wan22_app.web.live import Follower, LiveState
from wan22_app.web.pages import generation, optimizations, outputs, queue
from wan22_app.web.state.detail import DetailState
from wan22_app.web.state.form import FormState
from wan22_app.web.state.machine import MachineState
from wan22_app.web.state.outputs import OutputsState
from wan22_app.web.state.preferences import PreferenceState
from wan22_app.web.state.queue import QueueState
from wan22_app.web.state.stage import StageState


@dataclass(frozen=True)
class Page:
    """What the app needs to serve a page."""

    route: str
    title: str
    component: Callable[[], rx.Component]
    on_load: Sequence[Any]


FOLLOWERS: tuple[type[Follower], ...] = (
    QueueState,
    OutputsState,
    DetailState,
    StageState,
    PreferenceState,
)
"""States of the pages whose lists follow the database."""

PAGES = (
    Page(
        "/",
        f"{words.GENERATION} · {words.APP}",
        generation.page,
        (LiveState.load, FormState.load, PreferenceState.load),
    ),
    Page(
        "/optimizations",
        f"{words.OPTIMIZATIONS} · {words.APP}",
        optimizations.page,
        (LiveState.load, MachineState.load, PreferenceState.load),
    ),
    Page("/queue", f"{words.QUEUE} · {words.APP}", queue.page, (LiveState.load, QueueState.load)),
    Page(
        "/outputs",
        f"{words.OUTPUTS} · {words.APP}",
        outputs.page,
        (LiveState.load, OutputsState.load),
    ),
)
