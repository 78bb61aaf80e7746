"""The video that is open beside the grid, and what is done with it."""

import asyncio
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.web import words
from wan22_app.web.live import Follower
from wan22_app.web.recipe_view import DetailView, RecipeLine, as_text, detail_view, recipe_of
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.form import FormState
from wan22_app.web.urls import OUTPUTS_ROUTE

LONGEST_VIDEO_S = 3600.0


class DetailState(Follower, rx.State):
    """One open video; blank when none is."""

    view: DetailView = DetailView()
    lines: list[RecipeLine] = []
    text: str = ""
    loop: bool = True

    @rx.event
    @policy(Policy.PERSON)
    async def open(self, output_id: str) -> Any:
        """Show a video with its recipe."""
        return await self._read(str(output_id))

    @rx.event
    @policy(Policy.PERSON)
    async def close(self) -> None:
        """Show the grid alone."""
        self._close(self.view.id)

    @rx.event
    @policy(Policy.PERSON)
    async def toggle_loop(self) -> None:
        """Play once, or again and again."""
        self.loop = not self.loop

    @rx.event
    @policy(Policy.PERSON)
    async def use(self, output_id: str) -> Any:
        """Fill the form with the settings that made this video."""
        try:
            output = await asyncio.to_thread(
                services().gallery.get, person_of(self), str(output_id)
            )
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        await (await self.get_state(FormState))._use(output.request)
        return [rx.redirect("/"), rx.toast.success(words.SETTINGS_USED)]

    @rx.event
    @policy(Policy.PERSON)
    async def take_frame(self, output_id: str, seconds: float) -> Any:
        """Make the picture that the player shows the start image of the next video."""
        time = moment(seconds)
        if time is None:
            return None
        try:
            output, image = await asyncio.to_thread(_frame, person_of(self), str(output_id), time)
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        form = await self.get_state(FormState)
        chosen = form.model
        await form._start_from(image, output.request.model)
        changed = words.FRAME_USED_WITH.format(model=form.chosen.name)
        said = words.FRAME_USED if form.model == chosen else changed
        return [rx.redirect("/"), rx.toast.success(said)]

    @rx.event
    @policy(Policy.PERSON)
    async def go_on(self, output_id: str) -> Any:
        """Make the next video a longer one: this one, and what comes after its last frames."""
        try:
            output, video = await asyncio.to_thread(_kept, person_of(self), str(output_id))
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        form = await self.get_state(FormState)
        await form._continue(video, output.request)
        said = words.GOES_ON_WITH.format(model=form.chosen.name)
        return [rx.redirect("/"), rx.toast.success(said)]

    async def _catch_up(self) -> None:
        """It was starred, deleted or brought back, here or in another tab."""
        if self.view.id and self.router.url.path.rstrip("/") == OUTPUTS_ROUTE:
            await self._read(self.view.id)

    async def _read(self, output_id: str) -> Any:
        try:
            view, lines = await asyncio.to_thread(_look, person_of(self), output_id)
        except UserError as error:
            self._close(output_id)
            return rx.toast.error(error.problem.sentence())
        if view != self.view:
            self.view = view
        if lines != self.lines:
            self.lines, self.text = lines, as_text(lines)
        return None

    def _close(self, output_id: str) -> None:
        """Close it if it is this one."""
        if self.view.id and self.view.id == output_id:
            self.view, self.lines, self.text = DetailView(), [], ""


def moment(seconds: object) -> float | None:
    """A time in a video, None for what is none: any client may send anything."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not 0 <= seconds <= LONGEST_VIDEO_S:  # which "not a number" is not
        return None
    return float(seconds)


def _look(person: Person, output_id: str) -> tuple[DetailView, list[RecipeLine]]:
    app = services()
    output = app.gallery.get(person, output_id)
    recipe = app.recipes.of(person, output_id)
    view = detail_view(output, plays=app.gallery.plays(output))
    return view, recipe_of(output, recipe)


def _frame(person: Person, output_id: str, seconds: float) -> Any:
    app = services()
    image = app.recipes.frame(person, output_id, seconds)
    return app.gallery.get(person, output_id), image


def _kept(person: Person, output_id: str) -> Any:
    app = services()
    return app.gallery.get(person, output_id), app.recipes.continuation(person, output_id)
