"""Getting a model's weights, and changing one's mind."""

import asyncio
from collections.abc import Callable
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.errors import UserError
from wan22_app.web import words
from wan22_app.web.live import LiveState
from wan22_app.web.security import Policy, person_of, policy


class ModelsState(rx.State):
    """No fields of its own: the cards are live and the same for every tab."""

    @rx.event
    @policy(Policy.PERSON)
    async def fetch_model(self, key: str) -> Any:
        """Ask for a model's weights; also the way to try again."""
        return await self._do(services().weights.get, key, words.DOWNLOAD_ASKED)

    @rx.event
    @policy(Policy.PERSON)
    async def cancel_fetch(self, download_id: str) -> Any:
        """Stop a download; what has come is kept."""
        return await self._do(services().weights.cancel, download_id, words.SENT_CANCEL)

    async def _do(self, action: Callable[..., Any], name: str, done: str) -> Any:
        # Any client may send anything: only a short text can name a model or a download.
        if not isinstance(name, str) or len(name) > 80:
            return None
        try:
            await asyncio.to_thread(action, person_of(self), name)
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        return [LiveState.load, rx.toast.success(done)]
