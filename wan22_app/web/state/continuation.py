"""The form's video to go on from: it gives size and rate, and its last frames."""

from dataclasses import dataclass
from typing import Any

import reflex as rx

from wan22_app.domain.catalog import ModelSpec
from wan22_app.domain.continuation import VideoRef, tails, usual_tail
from wan22_app.web import words
from wan22_app.web.security import Policy, policy
from wan22_app.web.urls import image_url
from wan22_app.web.views import length_text


@dataclass(frozen=True)
class ContinuedView:
    """Its last picture, what it is, and how many of its frames are given."""

    sha256: str = ""
    src: str = ""
    text: str = ""
    tail: str = ""


class Continuation(rx.State, mixin=True):
    """The part of the form's state that concerns the video it goes on from."""

    width: str = ""
    height: str = ""
    fps: str = ""
    continued: ContinuedView = ContinuedView()
    tails: list[str] = []
    _continues: VideoRef | None = None

    @rx.event
    @policy(Policy.PERSON)
    async def choose_tail(self, tail: str | list[str]) -> None:
        """How many frames at its end the model is given."""
        video = self._continues
        if video is not None and str(tail) in self.tails:
            self._set_video(video.model_copy(update={"tail": int(str(tail))}))
        await self._judge()

    @rx.event
    @policy(Policy.PERSON)
    async def drop_video(self) -> None:
        """Begin anew."""
        self._set_video(None)
        await self._judge()

    def _go_on(self, video: VideoRef) -> None:
        """Take a video, with as many frames as the chosen model was taught."""
        tail = usual_tail(self._spec(), video.frames)
        self._set_video(video.model_copy(update={"tail": tail}))
        self._set_image(None)
        self._set_last(None)

    def _set_video(self, video: VideoRef | None) -> None:
        self._continues = video
        if video is None:
            self.continued, self.tails = ContinuedView(), []
            return
        self.width, self.height, self.fps = str(video.width), str(video.height), str(video.fps)
        self.tails = [str(tail) for tail in tails(video.frames)]
        length = length_text(video.frames, video.fps)
        self.continued = ContinuedView(
            sha256=video.sha256,
            src=image_url(video.still),
            text=words.CONTINUES.format(size=f"{video.width}×{video.height}", length=length),
            tail=str(video.tail),
        )

    def _spec(self) -> ModelSpec:
        raise NotImplementedError

    def _set_image(self, image: None) -> Any:
        raise NotImplementedError

    def _set_last(self, image: None) -> Any:
        raise NotImplementedError

    async def _judge(self) -> None:
        raise NotImplementedError
