"""Who may call what. Every public function of a state is callable by anybody: the default is no."""

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import reflex as rx
from reflex.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event
from reflex_base.registry import RegistrationContext

from wan22_app.domain.account import LOCAL_PERSON, Person

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])
MARK = "wan22_policy"


class Policy(StrEnum):
    """Who may call a handler."""

    PERSON = "person"
    """Whoever may see the page: for now everybody whom the host guard lets in."""


BUILT_IN = {
    "hydrate_and_load": "does the next two in one",
    "hydrate": "sends the browser its own tab's state",
    "on_load_internal": "runs the page's own on_load handlers, each with its policy",
    "update_vars_internal": "takes client storage, which every handler validates as input",
    "set_is_hydrated": "tells the page that its on_load handlers have run",
    "handle_frontend_exception": "logs a fault of the page",
}
"""Reflex's own handlers that pages need, and why each is harmless."""


def policy(who: Policy) -> Callable[[Handler], Handler]:
    """Mark a handler. Goes below ``@rx.event``; a handler without it is refused."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, MARK, who)
        return handler

    return mark


def person_of(state: rx.State) -> Person:
    """Who acts through this tab. There are no accounts yet, so it is always the local person."""
    del state
    return LOCAL_PERSON


def policy_of(name: str) -> Policy | str | None:
    """The policy of a handler by its full name, None when it has none."""
    registered = RegistrationContext.get().event_handlers.get(name)
    if registered is None:
        return None
    own = getattr(registered.handler.fn, MARK, None)
    if own is not None:
        return own
    module = getattr(registered.handler.fn, "__module__", "")
    short = name.rpartition(".")[2]
    return BUILT_IN.get(short) if module.startswith("reflex") else None


class PolicyMiddleware(Middleware):
    """Runs before every event, chained and background ones included."""

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Let the event pass (None), or answer nothing in its place."""
        del app, state
        if policy_of(event.name) is None:
            # The name is the caller's text: cut it, and never log the payload.
            log.warning("refused event without a policy: %.120r", event.name)
            return StateUpdate()
        if not is_text(event.payload):
            log.warning("refused event with half a character: %.120r", event.name)
            return StateUpdate()
        return None


def is_text(value: object) -> bool:
    """Whether all text in a JSON value can be stored and sent back.

    Half of a surrogate pair cannot: one that got into a state would end the tab's every answer.
    """
    try:
        json.dumps(value, ensure_ascii=False, default=_not_json).encode()
    except (UnicodeEncodeError, RecursionError, ValueError):
        return False
    return True


def _not_json(_value: object) -> None:
    """An uploaded file, whose name and content its handler judges."""
