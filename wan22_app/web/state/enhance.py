"""The prompt enhancer on the page: a suggestion to accept, edit or discard, and the way back."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from wan22_app.bootstrap import services
from wan22_app.domain.enhance import Enhanced, NoteKind, Piece
from wan22_app.domain.errors import UserError
from wan22_app.web import words
from wan22_app.web.security import Policy, person_of, policy
from wan22_app.web.state.form import FormState


@dataclass(frozen=True)
class PieceView:
    """A stretch of the suggestion; ``dimension`` is empty for the person's own words.

    ``lead`` is the comma or space before an addition, which needs no mark.
    """

    lead: str = ""
    text: str = ""
    dimension: str = ""


@dataclass(frozen=True)
class NoteView:
    """A note; a warning asks for a look, the rest is for information."""

    text: str = ""
    warning: bool = False


def _piece(piece: Piece) -> PieceView:
    if piece.dimension is None:
        return PieceView(text=piece.text)
    text = piece.text.lstrip(LEADS)
    return PieceView(piece.text.removesuffix(text), text, str(piece.dimension))


LEADS = " ,，"
WARNINGS = {NoteKind.CONFLICT, NoteKind.VACE, NoteKind.TOO_LONG}


class EnhanceState(rx.State):
    """One tab's suggestion. It belongs to a prompt, a model and an image and ends with them.

    ``own`` and ``given`` are the person's prompt and what took its place, for Undo.
    """

    pieces: list[PieceView] = []
    notes: list[NoteView] = []
    adds: bool = False
    prompt: str = ""
    model: str = ""
    image: str = ""
    own: str = ""
    given: str = ""

    @rx.event
    @policy(Policy.PERSON)
    async def suggest(self) -> Any:
        """Show what would be added to the prompt as it stands."""
        form = await self.get_state(FormState)
        has_image = bool(form.picture.sha256) and form.chosen.takes_image
        try:
            result = await asyncio.to_thread(
                services().enhancement.suggest,
                person_of(self),
                form.model,
                form.prompt,
                has_image=has_image,
            )
        except UserError as error:
            return rx.toast.error(error.problem.sentence())
        self._show(result)
        self.prompt, self.model, self.image = form.prompt, form.model, form.picture.sha256
        return None

    @rx.event
    @policy(Policy.PERSON)
    async def accept(self) -> Any:
        """Put the suggestion into the field."""
        return await self._take(words.ACCEPTED)

    @rx.event
    @policy(Policy.PERSON)
    async def edit(self) -> Any:
        """Put the suggestion into the field to go on typing there."""
        return await self._take("")

    @rx.event
    @policy(Policy.PERSON)
    async def discard(self) -> Any:
        """Forget the suggestion; the prompt was never touched."""
        self._close()
        return rx.set_focus("enhance")

    @rx.event
    @policy(Policy.PERSON)
    async def undo(self) -> Any:
        """Bring back the person's own prompt."""
        if not self.given:
            return None
        own, self.own, self.given = self.own, "", ""
        self._close()
        return [FormState.change("prompt", own), rx.set_focus("prompt")]

    @rx.event
    @policy(Policy.PERSON)
    async def use_example(self, group: str, index: int) -> Any:
        """An example takes the prompt's place; Undo brings the prompt back."""
        examples = words.EXAMPLES.get(group, ()) if isinstance(group, str) else ()
        if not isinstance(index, int) or not 0 <= index < len(examples):
            return None
        form = await self.get_state(FormState)
        self.own, self.given = form.prompt, examples[index]
        self._close()
        return [FormState.change("prompt", examples[index]), rx.set_focus("prompt")]

    # Shared steps

    async def _take(self, said: str) -> Any:
        """Refuse a suggestion that was made for something else than what stands there now."""
        form = await self.get_state(FormState)
        made_for = (self.prompt, self.model, self.image)
        if not self.adds or made_for != (form.prompt, form.model, form.picture.sha256):
            return None
        self.own, self.given = self.prompt, "".join(p.lead + p.text for p in self.pieces)
        self._close()
        events: list[Any] = [FormState.change("prompt", self.given), rx.set_focus("prompt")]
        return [*events, rx.toast.success(said)] if said else events

    def _show(self, result: Enhanced) -> None:
        self.pieces = [_piece(piece) for piece in result.pieces]
        self.notes = [NoteView(note.text, note.kind in WARNINGS) for note in result.notes]
        self.adds = bool(result.added)

    def _close(self) -> None:
        self.pieces, self.notes, self.adds = [], [], False
