"""The outputs page of one tab: what is searched, which part is loaded, stars and the bin."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.account import Person
from wan22_app.domain.errors import UserError
from wan22_app.domain.output import Output, OutputQuery, Place
from wan22_app.web import words
from wan22_app.web.live import Follower
from wan22_app.web.recipe_view import TileView, tile_view
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.detail import DetailState
from wan22_app.web.urls import OUTPUTS_ROUTE
from wan22_app.web.views import model_name

PAGE = 40
MOST_PAGES = 8
"""Pages that a tab holds: what lies further up is dropped and read again on the way back."""
LONGEST_SEARCH = 200
ANY = "any"


@dataclass(frozen=True)
class Leaf:
    """One loaded page: where it starts, what it shows, where the next one starts."""

    before: Place | None
    after: Place
    tiles: list[TileView]


@dataclass(frozen=True)
class Choice:
    """A model to filter by."""

    key: str = ""
    name: str = ""


class OutputsState(Follower, rx.State):
    """A window over all outputs that fit; it follows the database while the page is open."""

    tiles: list[TileView] = []
    count: str = ""
    more: bool = False
    newer: bool = False
    loads: int = 0
    ready: bool = False
    text: str = ""
    model: str = ANY
    shelf: str = "all"
    models: list[Choice] = []
    _leaves: list[Leaf] = []
    _above: list[Place | None] = []

    @rx.event
    @policy(Policy.PERSON)
    async def load(self) -> None:
        """The newest first, with the filters that this tab had."""
        await self._restart()

    async def _catch_up(self) -> None:
        """A video was finished, starred, deleted or brought back, here or in another tab."""
        if self.router.url.path.rstrip("/") == OUTPUTS_ROUTE and self.ready:
            await self._read_window()

    @rx.event
    @policy(Policy.PERSON)
    async def search(self, text: str) -> None:
        """Videos whose prompt has all of these words."""
        if isinstance(text, str) and text != self.text:
            self.text = text[:LONGEST_SEARCH]
            await self._restart()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_model(self, key: str) -> None:
        """Videos of one model, or of any."""
        if key == ANY or key in [choice.key for choice in self.models]:
            self.model = str(key)
            await self._restart()

    @rx.event
    @policy(Policy.PERSON)
    async def choose_shelf(self, shelf: str) -> None:
        """All, the favourites, or the bin."""
        if isinstance(shelf, str) and shelf in words.SHELVES:
            self.shelf = shelf
            await self._restart()

    @rx.event
    @policy(Policy.PERSON)
    async def clear(self) -> None:
        """No filter."""
        self.text, self.model, self.shelf = "", ANY, "all"
        await self._restart()

    @rx.event
    @policy(Policy.PERSON)
    async def load_more(self) -> None:
        """The next older page; the newest loaded one is dropped when there are many."""
        if not self.more or not self._leaves:
            return
        leaves, self.more = await self._read(self._leaves[-1].after, PAGE)
        self._leaves = [*self._leaves, *leaves]
        if len(self._leaves) > MOST_PAGES:
            self._above = [*self._above, self._leaves[0].before]
            self._leaves = self._leaves[1:]
        self._show()

    @rx.event
    @policy(Policy.PERSON)
    async def load_newer(self) -> None:
        """Back by a page; the oldest loaded one is dropped."""
        if self._above:
            start, self._above = self._above[-1], self._above[:-1]
            self._leaves, self.more = await self._read(start, PAGE * MOST_PAGES)
            self._show()

    @rx.event
    @policy(Policy.PERSON)
    async def star(self, output_id: str, wanted: bool) -> Any:
        """Make a favourite, or no longer."""
        return await self._do(
            lambda who: services().gallery.favourite(who, str(output_id), wanted is True)
        )

    @rx.event
    @policy(Policy.PERSON)
    async def delete(self, output_id: str) -> Any:
        """Move into the bin; the toast brings it back."""
        refused = await self._do(lambda who: services().gallery.delete(who, str(output_id)))
        if refused is not None:
            return refused
        (await self.get_state(DetailState))._close(str(output_id))
        return undo_toast(str(output_id))

    @rx.event
    @policy(Policy.PERSON)
    async def restore(self, output_id: str) -> Any:
        """Take out of the bin."""
        refused = await self._do(lambda who: services().gallery.restore(who, str(output_id)))
        return refused or rx.toast.success(words.RESTORED)

    @rx.event
    @policy(Policy.PERSON)
    async def empty_bin(self) -> Any:
        """Remove for good all that lies in the bin."""
        try:
            count = await asyncio.to_thread(services().gallery.empty_bin, person_of(self))
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        await self._follow()
        return rx.toast.success(words.EMPTY_BIN_DONE.format(count=count))

    # Shared steps

    async def _do(self, action: Callable[[Person], Any]) -> Any:
        """Do it and show the result at once; the refusal when there is one."""
        try:
            await asyncio.to_thread(action, person_of(self))
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        await self._follow()
        return None

    async def _follow(self) -> None:
        await self._read_window()
        await (await self.get_state(DetailState))._catch_up()

    async def _restart(self) -> None:
        """From the top."""
        self._above, self._leaves = [], []
        await self._read_window()

    async def _read_window(self) -> None:
        """What is loaded, as it is now; and whatever has come on top of it."""
        start = self._leaves[0].before if self._above else None
        pages = max(1, len(self._leaves))
        self._leaves, more = await self._read(start, PAGE * pages)
        if more != self.more:
            self.more = more
        count = await asyncio.to_thread(services().gallery.count, person_of(self), self._query())
        if (text := words.videos(count)) != self.count:
            self.count = text
        keys = await asyncio.to_thread(services().gallery.models, person_of(self))
        choices = [Choice(key, model_name(key)) for key in keys]
        if choices != self.models:
            self.models = choices
        self._show()
        if not self.ready:
            self.ready = True

    async def _read(self, before: Place | None, limit: int) -> tuple[list[Leaf], bool]:
        query, person = self._query(), person_of(self)
        return await asyncio.to_thread(read_leaves, person, query, before, limit)

    def _query(self) -> OutputQuery:
        return OutputQuery(
            words=self.text,
            model="" if self.model == ANY else self.model,
            favourites=self.shelf == "favourites",
            binned=self.shelf == "bin",
        )

    def _show(self) -> None:
        tiles = [tile for leaf in self._leaves for tile in leaf.tiles]
        if tiles != self.tiles:
            self.tiles = tiles
        if (newer := bool(self._above)) != self.newer:
            self.newer = newer
        self.loads += 1


def read_leaves(
    person: Person, query: OutputQuery, before: Place | None, limit: int
) -> tuple[list[Leaf], bool]:
    """Pages from a place on, and whether there are older ones still."""
    found = services().gallery.page(person, query, before, limit + 1)
    leaves: list[Leaf] = []
    for start in range(0, min(len(found), limit), PAGE):
        part = found[start : min(start + PAGE, limit)]
        leaves.append(Leaf(before, part[-1].place, [_tile(output) for output in part]))
        before = part[-1].place
    return leaves, len(found) > limit


def _tile(output: Output) -> TileView:
    return tile_view(output, plays=services().gallery.plays(output))


def undo_toast(output_id: str) -> Any:
    """Says what happened, with a button that takes it back.

    The toast lives outside the page's components, where it cannot send events: its button presses
    the page's own.
    """
    press = f"window.wan22Outputs && window.wan22Outputs.undo({json.dumps(output_id)})"
    action = f"{{label: {json.dumps(words.UNDO)}, onClick: () => {press}}}"
    text = json.dumps(words.DELETED)
    return rx.call_script(f"refs['__toast'].success({text}, {{action: {action}, duration: 10000}})")
