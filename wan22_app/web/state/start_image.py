"""The form's start image: taken, shown as the model will see it, laid on a colour, removed."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import reflex as rx

from wan22_app.adapters.images import refusal
from wan22_app.bootstrap import services
from wan22_app.domain.errors import UserError
from wan22_app.domain.generation import ImageRef
from wan22_app.domain.picture import BACKGROUNDS
from wan22_app.web import words
from wan22_app.web.pictures import SHARES, PictureView, asked_size, moved, picture_view
from wan22_app.web.security import Policy, policy

UPLOAD_ID = "start-image"
EXAMPLE = Path(__file__).resolve().parents[3] / "assets" / "demo-start.png"


class StartImage(rx.State, mixin=True):
    """The part of the form's state that concerns its image; the form judges and keeps the draft."""

    width: str = ""
    height: str = ""
    picture: PictureView = PictureView()
    reading: bool = False
    crop_key: int = 0
    _image: ImageRef | None = None
    _image_fault: str = ""

    @rx.event
    @policy(Policy.PERSON)
    async def take_image(self, files: list[rx.UploadFile]) -> AsyncIterator[Any]:
        """Send the image through the gate; the form keeps only what names it."""
        if not files:
            return
        self.reading = True
        yield
        try:
            if not await self._accept(await files[0].read()):
                # Only here: an accepted image takes the place of the field, which has then no list
                # of files to clear any more.
                yield rx.clear_selected_files(UPLOAD_ID)
        finally:
            self.reading = False
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def take_example(self) -> None:
        """A picture that the demo models understand."""
        await self._accept(await asyncio.to_thread(EXAMPLE.read_bytes))
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def refuse_image(self, count: int) -> None:
        """What the page itself did not send: several files at once, or one that is too large."""
        several = isinstance(count, int) and count > 1
        fault = words.ONE_IMAGE if several else refusal("too_big").problem.sentence()
        self._refuse_image(fault)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def drop_image(self) -> None:
        """Go on without an image."""
        self._set_image(None)
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_background(self, name: str | list[str]) -> None:
        """Lay what is transparent on black or on white."""
        wanted = next((key for key in BACKGROUNDS if words.BACKGROUNDS[key] == name), None)
        if self._image is None or wanted is None:
            return
        try:
            change = services().images.on_background
            self._set_image(await asyncio.to_thread(change, self._image, wanted))
        except UserError as error:
            self._image_fault = error.problem.sentence()
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_place(self, place: str | list[str]) -> None:
        """Crop at one end or in the middle."""
        if place in self.picture.places:
            await self._move(SHARES[self.picture.places.index(str(place))])
            self.crop_key += 1

    @rx.event
    @policy(Policy.PERSON)
    async def move_crop(self, percent: float | str) -> None:
        """Crop anywhere between the ends, in hundredths of the way."""
        try:
            share = float(percent) / 100
        except (TypeError, ValueError):
            return
        if math.isfinite(share):
            await self._move(share)

    async def _accept(self, data: bytes) -> bool:
        """Send a file through the gate; False when it was refused, which the form then says."""
        try:
            self._set_image(await asyncio.to_thread(services().images.accept, data))
        except UserError as error:
            self._refuse_image(error.problem.sentence())
            return False
        return True

    async def _move(self, share: float) -> None:
        if self._image is not None:
            self._image = moved(self._image, asked_size(self.width, self.height), share)
            await self._judge()

    def _set_image(self, image: ImageRef | None) -> None:
        """Another image, or none: the slider of the crop begins anew."""
        self._image, self._image_fault = image, ""
        self.crop_key += 1
        self._frame()

    def _refuse_image(self, fault: str) -> None:
        self._set_image(None)
        self._image_fault = fault

    def _frame(self) -> None:
        """Show the image in a frame of the size that is asked for now."""
        view = picture_view(self._image, asked_size(self.width, self.height))
        if view != self.picture:
            self.picture = view

    async def _judge(self) -> None:
        raise NotImplementedError
