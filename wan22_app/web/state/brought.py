"""The recipe in an mp4 that was dropped onto the page."""

import asyncio
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.output import Recipe
from wan22_app.web import words
from wan22_app.web.recipe_view import RecipeLine, as_text, recipe_lines
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.detail import DetailState
from wan22_app.web.state.form import FormState

BROUGHT_ID = "recipe-drop"
LONGEST_NAME = 80


class BroughtState(rx.State):
    """One recipe, or why there is none; blank when nothing was dropped."""

    title: str = ""
    fault: str = ""
    lines: list[RecipeLine] = []
    text: str = ""
    differences: list[str] = []
    _recipe: Recipe | None = None

    @rx.event
    @policy(Policy.PERSON)
    async def take(self, files: list[rx.UploadFile]) -> Any:
        """Read the headers that the page cut out of the file."""
        if not files:
            return None
        self._clear()
        detail = await self.get_state(DetailState)
        detail._close(detail.view.id)
        name = shown_name(files[0].name)
        data = await files[0].read()
        try:
            recipe, problems = await asyncio.to_thread(_read, person_of(self), data)
        except UserError as error:
            self.title = words.BROUGHT_FAULT.format(name=name)
            self.fault = error.problem.sentence()
        else:
            self.title = words.BROUGHT.format(name=name)
            self._recipe = recipe
            self.lines = recipe_lines(recipe.request, recipe.asked, recipe)
            self.text = as_text(self.lines)
            self.differences = [problem.sentence() for problem in problems]
        return rx.clear_selected_files(BROUGHT_ID)

    @rx.event
    @policy(Policy.PERSON)
    async def close(self) -> None:
        """Put it away."""
        self._clear()

    @rx.event
    @policy(Policy.PERSON)
    async def use(self) -> Any:
        """Fill the form with these settings."""
        if self._recipe is None:
            return None
        await (await self.get_state(FormState))._use(self._recipe.request)
        return [rx.redirect("/"), rx.toast.success(words.SETTINGS_USED)]

    def _clear(self) -> None:
        if self.title:
            self.title, self.fault, self.text = "", "", ""
            self.lines, self.differences, self._recipe = [], [], None


def shown_name(name: object) -> str:
    """A file's own name, short and printable; it is a stranger's text."""
    text = "".join(char for char in str(name or "") if char.isprintable())[:LONGEST_NAME]
    return text or words.BROUGHT_UNNAMED


def _read(person: Person, data: bytes) -> tuple[Recipe, list[Problem]]:
    recipe = services().recipes.brought(person, data)
    return recipe, list(services().recipes.differences(recipe))
