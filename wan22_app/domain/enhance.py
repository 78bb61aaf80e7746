"""The prompt enhancer: adds the words of film that a prompt leaves open, and touches no other.

A pure function. It only appends, so the person's words stay as they are, and each phrase that it
appends is one that it recognises: enhancing twice is enhancing once.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from wan22_app.domain.additions import DRAWN, ORDER, WITH_IMAGE, Addition, addition
from wan22_app.domain.cinema import Dimension
from wan22_app.domain.generation import PROMPT_LIMIT
from wan22_app.domain.reading import Language, Reading, exclude, read
from wan22_app.domain.values import Value

Counter = Callable[[str], int | None]
"""Length of a text in the model's own tokens; None without its tokenizer."""


class NoteKind(StrEnum):
    """What a note is about; stable, for tests and programs."""

    CONFLICT = "conflict"
    VACE = "vace"
    COVERED = "covered"
    IMAGE = "image"
    DRAWN = "drawn"
    LEFT_OUT = "left_out"
    TOO_LONG = "too_long"
    EMPTY = "empty"
    LANGUAGE = "language"
    COMPLETE = "complete"
    UNCOUNTED = "uncounted"


class Note(Value):
    """Something to know beside the text, as one or two sentences."""

    kind: NoteKind
    text: str


class Piece(Value):
    """A stretch of the result; ``dimension`` is None for the person's own words."""

    text: str
    dimension: Dimension | None = None


class Enhanced(Value):
    """The result: ``text`` is the pieces joined, and begins with the person's words."""

    text: str
    pieces: tuple[Piece, ...]
    notes: tuple[Note, ...] = ()

    @property
    def added(self) -> tuple[Piece, ...]:
        """The pieces that are not the person's."""
        return tuple(piece for piece in self.pieces if piece.dimension is not None)


def enhance(prompt: str, *, has_image: bool, limit: int, count: Counter) -> Enhanced:
    """Enhance a prompt within ``limit`` tokens. Never raises for any text.

    The least important additions go first when it gets too long; a prompt that is too long alone
    comes back as it is, with a note.
    """
    reading = read(prompt)
    notes = [*_warnings(reading)]
    if not prompt.strip():
        return _unchanged(prompt, [_EMPTY])
    if reading.language is Language.OTHER:
        return _unchanged(prompt, [*notes, _LANGUAGE])
    if not _fits(prompt, limit, count):
        return _unchanged(prompt, [*notes, _too_long(limit)])
    wanted = tuple(_wanted(reading, has_image=has_image))
    pieces = _longest(_pieces(prompt, reading.language, wanted), limit, count)
    left_out = wanted[len(pieces) - 1 :]
    if not wanted:
        notes.append(_COMPLETE)
    notes += _remarks(reading, has_image=has_image, left_out=left_out)
    if wanted and count(prompt) is None:
        notes.append(_UNCOUNTED)
    if len(pieces) == 1:
        return _unchanged(prompt, notes)
    return Enhanced(text=_joined(pieces), pieces=tuple(pieces), notes=tuple(notes))


# What to add


def _wanted(reading: Reading, *, has_image: bool) -> Iterator[Addition]:
    """Additions for the silent dimensions, most important first, none against what is said."""
    allowed = WITH_IMAGE if has_image else frozenset(ORDER)
    if "drawn" in reading.names:
        allowed &= DRAWN
    names = reading.names
    for dimension in ORDER:
        if dimension not in allowed or dimension in reading.covered:
            continue
        new = addition(dimension, reading, names)
        if new is not None and not any(exclude(new.name, name) for name in names):
            names |= {new.name}
            yield new


def _pieces(prompt: str, language: Language, wanted: Sequence[Addition]) -> list[Piece]:
    """The person's words, then each addition with the mark that leads to it."""
    pieces = [Piece(text=prompt.rstrip())]
    for each in wanted:
        lead = _lead(pieces[-1].text, language)
        phrase = each.phrase(language)
        if lead == " " and pieces[-1].text[-1] in _SENTENCE_ENDS:
            phrase = phrase[0].upper() + phrase[1:]
        pieces.append(Piece(text=lead + phrase, dimension=each.dimension))
    return pieces


_SENTENCE_ENDS = ".!?…"
_PAUSES = ",;:–—-"
_CHINESE_MARKS = "。！？，、；：…,.;:!?"


def _lead(before: str, language: Language) -> str:
    """What stands between a text and a phrase that follows it."""
    if language is Language.CHINESE:
        return "" if before[-1] in _CHINESE_MARKS else "，"
    return " " if before[-1] in _SENTENCE_ENDS + _PAUSES else ", "


def _longest(pieces: list[Piece], limit: int, count: Counter) -> list[Piece]:
    """As many pieces from the front as fit; the first always does."""
    for end in range(len(pieces), 1, -1):
        if _fits(_joined(pieces[:end]), limit, count):
            return pieces[:end]
    return pieces[:1]


def _joined(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _fits(text: str, limit: int, count: Counter) -> bool:
    # Requests count characters after this normalisation, which can lengthen a text.
    if len(unicodedata.normalize("NFC", text)) > PROMPT_LIMIT:
        return False
    tokens = count(text)
    return tokens is None or tokens <= limit


def _unchanged(prompt: str, notes: Sequence[Note]) -> Enhanced:
    return Enhanced(text=prompt, pieces=(Piece(text=prompt),), notes=tuple(notes))


# What to say

_EMPTY = Note(
    kind=NoteKind.EMPTY,
    text="There is nothing to build on yet. Say in a few words what should happen.",
)
_LANGUAGE = Note(
    kind=NoteKind.LANGUAGE,
    text="This enhancer reads English and Chinese, the languages of Wan2.2's own guides, so your "
    "words stay as they are. The model may still understand them.",
)
_COMPLETE = Note(
    kind=NoteKind.COMPLETE, text="Your prompt leaves nothing open that would need an addition."
)
_UNCOUNTED = Note(
    kind=NoteKind.UNCOUNTED,
    text="The model's tokenizer is not here yet, so length was measured in characters.",
)


def _too_long(limit: int) -> Note:
    return Note(
        kind=NoteKind.TOO_LONG,
        text=f"Your prompt alone is longer than the model reads ({limit} tokens, {PROMPT_LIMIT} "
        "characters at most), so nothing was added. Shorten it first.",
    )


def _warnings(reading: Reading) -> Iterator[Note]:
    for one, other in reading.conflicts:
        yield Note(
            kind=NoteKind.CONFLICT,
            text=f"“{one}” and “{other}” pull in different directions. Keeping one of them gives "
            "the model a clear picture.",
        )
    if reading.vace:
        yield Note(
            kind=NoteKind.VACE,
            text=f"{_listed(f'“{word}”' for word in reading.vace)}: a word of VACE, the editing "
            "model of this family. The models here do not edit; they would take it as part of the "
            "scene.",
        )


def _remarks(reading: Reading, *, has_image: bool, left_out: Sequence[Addition]) -> Iterator[Note]:
    said = {m.dimension: m.words for m in reversed(reading.mentions)}
    if said:
        words = (f"{d} (“{said[d]}”)" for d in Dimension if d in said)
        yield Note(kind=NoteKind.COVERED, text=f"Already in your words: {_listed(words)}.")
    if has_image:
        yield Note(
            kind=NoteKind.IMAGE,
            text="The image settles scene, light and style, so only motion and camera are added.",
        )
    elif "drawn" in reading.names:
        yield Note(
            kind=NoteKind.DRAWN,
            text="A drawn style: light, lens and quality words of film are left out.",
        )
    if left_out:
        names = _listed(str(each.dimension) for each in left_out)
        yield Note(kind=NoteKind.LEFT_OUT, text=f"Left out, because the text is full: {names}.")


def _listed(words: Iterator[str]) -> str:
    return ", ".join(words)
