"""The enhancer keeps words, is idempotent, stays within any limit, and contradicts nobody."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wan22_app.domain.additions import every_addition
from wan22_app.domain.cinema import CONFLICTS, TERMS, Dimension
from wan22_app.domain.enhance import Enhanced, NoteKind, enhance
from wan22_app.domain.generation import PROMPT_LIMIT
from wan22_app.domain.reading import Language, read
from wan22_app.domain.subject import Kind

D = Dimension


def words(text: str) -> int:
    return len(text.split())


def run(prompt: str, *, has_image: bool = False, limit: int = 512) -> Enhanced:
    return enhance(prompt, has_image=has_image, limit=limit, count=words)


def kinds(result: Enhanced) -> set[NoteKind]:
    return {note.kind for note in result.notes}


def dimensions(result: Enhanced) -> set[Dimension | None]:
    return {piece.dimension for piece in result.added}


# Properties

BITS = st.sampled_from(
    [each.english for each in every_addition()]
    + [each.chinese for each in every_addition()]
    + ["a red ball", "A woman", "two men fight", "the sea", "at night", "moonlight", "a cat", "car",
       "static camera", "no close-up", "anime style", "in a kitchen", "deep space", "rain", "city",
       "rolls", "then", "and", ".", "，", "。", "?", "\n", "inpaint", "black and white", "macro",
       "一只猫", "夜晚的城市", "女人", "猫が走る", "ein Hund und", "кот бежит", "قطة", "🐱", "neon"]
)  # fmt: skip
PROMPTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=120),
    st.lists(BITS, max_size=9).map(" ".join),
    st.tuples(st.lists(BITS, max_size=5), st.text(max_size=20)).map(
        lambda parts: " ".join(parts[0]) + parts[1]
    ),
)


def strange_count(text: str) -> int:
    """Any deterministic counter, as uneven as one can be."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0]


COUNTERS = st.sampled_from([len, words, strange_count, lambda text: None])
LIMITS = st.integers(min_value=0, max_value=600)
Count = Callable[[str], int | None]


@given(PROMPTS, st.booleans(), LIMITS, COUNTERS)
@example("a cat \n", False, 512, len)
def test_the_words_stay_and_the_pieces_are_the_text(
    prompt: str, has_image: bool, limit: int, count: Count
) -> None:
    result = enhance(prompt, has_image=has_image, limit=limit, count=count)
    assert result.text == "".join(piece.text for piece in result.pieces)
    assert result.pieces[0].dimension is None
    assert all(piece.dimension is not None for piece in result.pieces[1:])
    assert result.text.startswith(prompt.rstrip())
    assert result.added or result.text == prompt


@given(PROMPTS, st.booleans(), LIMITS, COUNTERS)
@example("spaceship in deep space", False, 512, len)
def test_twice_is_once(prompt: str, has_image: bool, limit: int, count: Count) -> None:
    once = enhance(prompt, has_image=has_image, limit=limit, count=count)
    twice = enhance(once.text, has_image=has_image, limit=limit, count=count)
    assert twice.text == once.text
    assert not twice.added


@given(PROMPTS, st.booleans(), LIMITS, COUNTERS)
def test_additions_never_break_the_limit(
    prompt: str, has_image: bool, limit: int, count: Count
) -> None:
    result = enhance(prompt, has_image=has_image, limit=limit, count=count)
    if result.added:
        tokens = count(result.text)
        assert tokens is None or tokens <= limit
        assert len(result.text) <= PROMPT_LIMIT


@given(PROMPTS, st.booleans())
def test_nothing_is_added_where_the_prompt_has_spoken(prompt: str, has_image: bool) -> None:
    result = run(prompt, has_image=has_image)
    added = [piece.dimension for piece in result.added]
    assert not read(prompt).covered & set(added)
    assert len(added) == len(set(added))


@given(PROMPTS)
@example("the sea by day and at night")
def test_additions_bring_no_conflict(prompt: str) -> None:
    assert set(read(run(prompt).text).conflicts) == set(read(prompt).conflicts)


@given(st.text(max_size=PROMPT_LIMIT))
def test_any_text_is_taken(text: str) -> None:
    run(text)


@pytest.mark.parametrize("text", ["a" * 2000, "close-up wide shot " * 100, "，" * 2000,
                                  "\ud800", "camera " * 285, "镜头" * 1000, "no " * 600,
                                  "-" * 2000])  # fmt: skip
def test_long_and_broken_text_is_taken(text: str) -> None:
    run(text)


# The vocabulary


@pytest.mark.parametrize("new", every_addition(), ids=lambda each: f"{each.dimension}-{each.name}")
def test_every_phrase_is_recognised_as_itself_and_names_no_subject(new: object) -> None:
    for phrase, language in ((new.english, Language.ENGLISH), (new.chinese, Language.CHINESE)):  # type: ignore[attr-defined]
        reading = read(phrase)
        assert {m.dimension for m in reading.mentions} == {new.dimension}  # type: ignore[attr-defined]
        assert reading.names == {new.name}  # type: ignore[attr-defined]
        assert reading.kind is Kind.ANY
        assert not any(reading.place.model_dump().values())
        assert reading.language is language


def test_conflicts_speak_of_known_values() -> None:
    names = {term.name for term in TERMS}
    assert len(names) == len(TERMS)
    assert {name for pair in CONFLICTS for side in pair for name in side} <= names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("static camera", "dolly in"),
        ("close-up", "wide shot"),
        ("daytime", "night"),
        ("sunlight", "midnight"),
        ("black and white", "saturated colors"),
        ("black and white", "vivid saturated colours"),
        ("soft lighting", "hard lighting"),
        ("low angle", "bird's-eye view"),
        ("photorealistic", "watercolor"),
        ("slow motion", "time-lapse"),
        ("zoom in", "zoom out"),
        ("shallow depth of field", "deep focus"),
        ("固定镜头", "镜头缓慢推进"),
        ("特写", "远景"),
        ("特寫", "遠景"),
        ("白天", "夜晚"),
    ],
)
def test_conflicts_are_seen_both_ways_and_left_alone(one: str, other: str) -> None:
    for prompt in (f"{one}, a house, {other}", f"{other}, a house, {one}"):
        result = run(prompt)
        assert NoteKind.CONFLICT in kinds(result), prompt
        assert result.text.startswith(prompt)
    assert NoteKind.CONFLICT not in kinds(run(f"{one}, a house"))
    assert NoteKind.CONFLICT not in kinds(run(f"{other}, a house"))


@pytest.mark.parametrize(
    "prompt",
    [
        "day turns to night over the valley",
        "from wide shot to close-up of a rose",
        "the camera is static, then a dolly in",
        "no close-up, wide shot of a house",
        "medium close-up of a man",
        "先是白天，然后变成夜晚",
        "a knight in the daytime",
    ],
)
def test_what_happens_in_turn_or_is_denied_is_no_conflict(prompt: str) -> None:
    assert NoteKind.CONFLICT not in kinds(run(prompt))


# Examples


def test_a_silent_prompt_gets_camera_light_motion_style_and_quality() -> None:
    result = run("a cat")
    assert result.text == (
        "a cat, natural lively movements, camera slowly follows, medium shot, daylight, "
        "soft lighting, daytime, telephoto lens, cinematic style, fine detail and natural exposure"
    )
    assert dimensions(result) == {
        D.MOTION, D.MOVEMENT, D.SHOT, D.SOURCE, D.LIGHT, D.TIME, D.LENS, D.STYLE, D.QUALITY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("a woman smiles", Kind.PERSON),
        ("a woman on a cliff", Kind.FIGURE),
        ("mountains above the clouds", Kind.LANDSCAPE),
        ("two men fight in an alley", Kind.ACTION),
        ("a perfume bottle", Kind.OBJECT),
        ("a train in the valley", Kind.VEHICLE),
        ("a fox in the snow", Kind.ANIMAL),
        ("on the beach, a white cat", Kind.ANIMAL),
        ("red and blue", Kind.ANY),
        ("一个女孩微笑", Kind.PERSON),
        ("雪山", Kind.LANDSCAPE),
    ],
)
def test_the_choice_follows_the_subject(prompt: str, kind: Kind) -> None:
    assert read(prompt).kind is kind


def test_light_follows_place_and_time() -> None:
    assert "moonlight" in run("the sea at night").text
    assert "practical lighting" in run("a kitchen at night").text
    assert "artificial lighting" in run("a street at night").text
    assert "overcast lighting" in run("a street in the rain").text
    assert "night time" in run("a house in the moonlight").text
    assert not dimensions(run("a ship in outer space")) & {D.SOURCE, D.TIME}


def test_an_angle_is_added_only_to_a_still_camera() -> None:
    assert D.ANGLE in dimensions(run("static shot, a skateboarder jumps"))
    assert D.ANGLE not in dimensions(run("a skateboarder jumps, tracking shot"))
    assert D.ANGLE not in dimensions(run("a skateboarder jumps, static camera, zoom in"))


def test_a_thing_may_rest_while_the_camera_moves() -> None:
    assert D.MOTION not in dimensions(run("a perfume bottle"))
    assert D.MOTION in dimensions(run("a perfume bottle, static camera"))


def test_a_named_style_is_a_style_and_a_fur_no_colour_grade() -> None:
    assert D.STYLE not in dimensions(run("Bauhaus style, a chair"))
    assert NoteKind.CONFLICT not in kinds(run("a black and white cat in vivid colours"))


def test_with_an_image_only_motion_and_camera_are_added() -> None:
    result = run("a portrait of a woman", has_image=True)
    assert dimensions(result) == {D.MOTION, D.MOVEMENT}
    assert NoteKind.IMAGE in kinds(result)


def test_a_drawn_style_gets_no_words_of_film() -> None:
    result = run("anime girl under a tree")
    assert dimensions(result) == {D.MOTION, D.MOVEMENT, D.SHOT}
    assert NoteKind.DRAWN in kinds(result)


def test_chinese_gets_chinese() -> None:
    result = run("一只猫在草地上奔跑。")
    assert result.text == (
        "一只猫在草地上奔跑。跟随镜头，全景，日光，柔光，白天，广角镜头，电影风格，细节清晰，曝光自然"
    )


@pytest.mark.parametrize(
    "prompt",
    ["猫が草の上を走る", "고양이가 달린다", "Кошка бежит по траве", "قطة تجري", "חתול רץ", "แมววิ่ง",
     "बिल्ली दौड़ती है", "Ein roter Ball rollt über den Boden", "Un chat court dans la rue",
     "El gato corre por la calle"],
)  # fmt: skip
def test_other_languages_are_left_alone_and_told_so(prompt: str) -> None:
    result = run(prompt)
    assert result.text == prompt
    assert NoteKind.LANGUAGE in kinds(result)


def test_sentences_go_on_with_a_capital() -> None:
    assert run("A cat sleeps.").text.startswith("A cat sleeps. Natural lively movements, camera")
    assert run("a cat,").text.startswith("a cat, natural")


def test_vace_words_are_explained() -> None:
    result = run("inpaint the sky with a depth map")
    note = next(note for note in result.notes if note.kind is NoteKind.VACE)
    assert "“inpaint”, “depth map”" in note.text


def test_the_least_important_go_first() -> None:
    whole = run("a cat")
    tight = run("a cat", limit=words(whole.text) - 1)
    assert [p.dimension for p in tight.added] == [p.dimension for p in whole.added][:-1]
    note = next(note for note in tight.notes if note.kind is NoteKind.LEFT_OUT)
    assert note.text.endswith("picture quality.")


def test_a_prompt_that_is_too_long_alone_stays_as_it_is() -> None:
    result = run("a cat in the grass", limit=3)
    assert result.text == "a cat in the grass"
    assert NoteKind.TOO_LONG in kinds(result)


def test_nothing_is_made_from_nothing() -> None:
    assert kinds(run(" \n")) == {NoteKind.EMPTY}


def test_a_complete_prompt_is_told_so() -> None:
    result = run(run("a cat").text)
    assert NoteKind.COMPLETE in kinds(result)
    assert NoteKind.COVERED in kinds(result)


def test_without_a_tokenizer_characters_are_the_measure() -> None:
    result = enhance("x" * 1950, has_image=False, limit=512, count=lambda text: None)
    assert len(result.text) <= PROMPT_LIMIT
    assert {NoteKind.UNCOUNTED, NoteKind.LEFT_OUT} <= kinds(result)
