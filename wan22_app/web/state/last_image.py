"""The form's last image: how the video ends. It is cut around its middle, and lies on black."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from wan22_app.adapters.images import refusal
from wan22_app.bootstrap import services
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import ImageRef
from wan22_app.web import words
from wan22_app.web.pictures import PictureView, asked_size, picture_view
from wan22_app.web.security import Policy, policy

LAST_ID = "last-image"


class LastImage(rx.State, mixin=True):
    """The part of the form's state that concerns its last image."""

    width: str = ""
    height: str = ""
    ending: PictureView = PictureView()
    _last_image: ImageRef | None = None
    _last_fault: str = ""

    @rx.event
    @policy(Policy.PERSON)
    async def take_last(self, files: list[rx.UploadFile]) -> AsyncIterator[Any]:
        """Send the image through the gate; the form keeps only what names it."""
        if not files:
            return
        try:
            data = await files[0].read()
            self._set_last(await asyncio.to_thread(services().images.accept, data))
        except UserError as error:
            self._refuse_last(error.problem.sentence())
            yield rx.clear_selected_files(LAST_ID)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def refuse_last(self, count: int) -> None:
        """What the page itself did not send: several files at once, or one that is too large."""
        several = isinstance(count, int) and count > 1
        self._refuse_last(words.ONE_IMAGE if several else refusal("too_big").problem.sentence())
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def drop_last(self) -> None:
        """Let the video end as it likes."""
        self._set_last(None)
        await self._judge()

    def _set_last(self, image: ImageRef | None) -> None:
        self._last_image, self._last_fault = image, ""
        self._frame_last()

    def _refuse_last(self, fault: str) -> None:
        self._set_last(None)
        self._last_fault = fault

    def _frame_last(self) -> None:
        """Show the image in a frame of the size that is asked for now."""
        view = picture_view(self._last_image, asked_size(self.width, self.height))
        if view != self.ending:
            self.ending = view

    async def _judge(self) -> None:
        raise NotImplementedError
