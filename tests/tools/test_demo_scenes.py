"""The measure agrees with what was drawn, and prompts say what the scene is."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tools.demo import measure
from tools.demo.language import plain, tell, vocabulary
from tools.demo.measure import Pixels, look_at, matched, shrunk
from tools.demo.networks import build_tokenizer
from tools.demo.scenes import Scene, draw_scene, render, replace
from tools.demo.score import Score
from tools.demo.text import FOLDED
from tools.demo.vae import SIZES

SEEDS = st.integers(0, 2**32)


def pixels(scene: Scene) -> Pixels:
    return measure.pixels(render(scene, 17))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("outlined", [False, True])
def test_a_perfect_clip_has_a_perfect_score(size: tuple[int, int], outlined: bool) -> None:
    chance, score = random.Random(1), Score()
    for _ in range(8):
        scene = replace(draw_scene(chance, *size, pair=0.5), outlined=outlined)
        _, told = tell(chance, scene, omit=0)
        assert score.add(pixels(scene), told), (scene, look_at(pixels(scene), len(told.things)))
    assert score.rate("everything") == 1


@pytest.mark.parametrize("outlined", [False, True])
def test_drawn_larger_and_shrunk_it_is_the_same_picture(outlined: bool) -> None:
    chance, score = random.Random(2), Score()
    for _ in range(4):
        scene = replace(draw_scene(chance, 160, 96, pair=0.5), outlined=outlined)
        _, told = tell(chance, scene, omit=0)
        large = measure.pixels(render(scene, 17, scale=2))
        assert large.shape == (17, 192, 320, 3)
        assert score.add(shrunk(large, 2), told), scene
        assert measure.psnr(shrunk(large, 2), pixels(scene)) > 30
        window = render(scene, 17, (8, 16, 32, 24), 2)
        assert torch.equal(window, render(scene, 17, scale=2)[:, :, 32:80, 16:80])


def test_what_is_wrong_is_seen() -> None:
    scene = draw_scene(random.Random(3), 128, 128, pair=0)
    (thing,) = scene.things
    assert thing.facts == (thing.colour, thing.shape, thing.motion)
    sight = look_at(pixels(scene), 1)
    others = [("purple" if thing.colour != "purple" else "red", thing.shape, thing.motion),
              (thing.colour, "star" if thing.shape != "star" else "circle", thing.motion),
              (thing.colour, thing.shape, "up" if thing.motion != "up" else "down")]  # fmt: skip
    for index, wrong in enumerate(others):
        (marks,) = matched(sight, [wrong])
        assert [not mark for mark in marks] == [index == kind for kind in range(3)]


def test_an_empty_picture_has_no_objects() -> None:
    scene = replace(draw_scene(random.Random(4), 128, 128), things=())
    assert look_at(pixels(scene), 2).things == ()
    assert matched(look_at(pixels(scene), 1), [("red", "circle", "left")]) == [(False,) * 3]


@given(SEEDS)
def test_every_prompt_fits_and_says_what_it_claims(seed: int) -> None:
    chance = random.Random(seed)
    scene = draw_scene(chance, 128, 128, pair=0.5)
    text, told = tell(chance, scene, omit=0)
    assert sorted(told.things) == sorted(thing.facts for thing in scene.things)
    assert len(TOKENIZER(text)["input_ids"]) < FOLDED
    assert tell(random.Random(seed), scene) == tell(random.Random(seed), scene)


def test_words_of_the_vocabulary_are_one_token_and_any_text_is_read() -> None:
    for word in vocabulary():
        assert len(TOKENIZER(word)["input_ids"]) == 2, word
    for text in ("Zebra!", "Ein größerer Ball", "红色的球", "🎈"):
        ids = TOKENIZER(text)["input_ids"]
        assert TOKENIZER.unk_token_id not in ids
        read = TOKENIZER.decode(ids, skip_special_tokens=True)
        assert read.replace(" ", "") == text.lower().replace(" ", "")


def test_the_plainest_words_name_everything() -> None:
    scene = draw_scene(random.Random(5), 128, 128, pair=1)
    text = plain(scene)
    for thing in scene.things:
        assert thing.colour in text
        assert thing.shape in text


TOKENIZER = build_tokenizer()
