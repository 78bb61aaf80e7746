"""Enhancement with a model's own limit, image and tokenizer."""

import pytest

from tests.fakes import FakeLibrary
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import CATALOG, ModelEntry
from wan22_app.domain.cinema import Dimension
from wan22_app.domain.enhance import NoteKind
from wan22_app.domain.errors import ModelUnavailable
from wan22_app.services.enhancement import Enhancement


class NoTokenizer(FakeLibrary):
    """As before the weights are here."""

    def tokens(self, entry: ModelEntry, text: str) -> int | None:
        return None


@pytest.fixture
def enhancement() -> Enhancement:
    return Enhancement(FakeLibrary())


def test_the_models_limit_counts(enhancement: Enhancement) -> None:
    limit = CATALOG["ti2v-5b"].text_length
    prompt = "a " * (limit - 4)
    result = enhancement.suggest(LOCAL_PERSON, "ti2v-5b", prompt, has_image=False)
    assert [piece.dimension for piece in result.added] == [Dimension.MOTION]
    assert enhancement.length(LOCAL_PERSON, "ti2v-5b", result.text).used <= limit


def test_a_model_that_starts_from_an_image_needs_no_telling(enhancement: Enhancement) -> None:
    told = enhancement.suggest(LOCAL_PERSON, "ti2v-5b", "a cat", has_image=True)
    known = enhancement.suggest(LOCAL_PERSON, "i2v-a14b", "a cat", has_image=False)
    assert told == known
    assert {p.dimension for p in known.added} == {Dimension.MOTION, Dimension.MOVEMENT}


def test_length_is_in_tokens_and_in_characters_without_a_tokenizer() -> None:
    length = Enhancement(FakeLibrary()).length(LOCAL_PERSON, "ti2v-5b", "a red ball")
    assert (length.used, length.limit, length.unit) == (4, 512, "tokens")
    without = Enhancement(NoTokenizer())
    length = without.length(LOCAL_PERSON, "ti2v-5b", "a red ball")
    assert (length.used, length.limit, length.unit) == (10, 2000, "characters")
    result = without.suggest(LOCAL_PERSON, "ti2v-5b", "a red ball", has_image=False)
    assert NoteKind.UNCOUNTED in {note.kind for note in result.notes}


@pytest.mark.parametrize(("prompt", "over"), [("a", False), ("a " * 600, True), ("a" * 2001, True)])
def test_too_long_is_what_the_form_refuses(
    enhancement: Enhancement, prompt: str, over: bool
) -> None:
    assert enhancement.length(LOCAL_PERSON, "ti2v-5b", prompt).too_long is over


def test_an_unknown_model_is_refused(enhancement: Enhancement) -> None:
    with pytest.raises(ModelUnavailable):
        enhancement.suggest(LOCAL_PERSON, "none", "a cat", has_image=False)
    with pytest.raises(ModelUnavailable):
        enhancement.length(LOCAL_PERSON, "none", "a cat")
