"""How scenes are told in words: the vocabulary of the demo models, and a writer of prompts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tools.demo.scenes import DEFAULT_BACKGROUND, Scene

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange", "tangerine"),
    "yellow": ("yellow", "golden", "lemon"),
    "green": ("green", "emerald"),
    "cyan": ("cyan", "turquoise", "aqua"),
    "blue": ("blue", "azure"),
    "purple": ("purple", "violet"),
    "white": ("white", "ivory"),
}
SHAPE_WORDS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "ball", "disc", "disk", "dot"),
    "square": ("square", "box", "block", "cube"),
    "triangle": ("triangle", "pyramid"),
    "star": ("star", "starfish"),
}
GOES = ("moving", "going", "drifting", "sliding", "flying", "floating", "travelling", "gliding")
SIDE_WORDS = {
    "left": ("left", "to the left", "leftwards", "from right to left"),
    "right": ("right", "to the right", "rightwards", "from left to right"),
    "up": ("up", "upwards", "to the top", "from bottom to top"),
    "down": ("down", "downwards", "to the bottom", "from top to bottom"),
}
MOTION_WORDS: dict[str, tuple[str, ...]] = {
    **{side: tuple(f"{go} {to}" for go in GOES for to in words)
       for side, words in SIDE_WORDS.items()},
    "growing": ("growing", "getting bigger", "getting larger", "expanding", "swelling"),
    "shrinking": ("shrinking", "getting smaller", "contracting"),
    "circling": ("circling", "moving in a circle", "going in circles", "orbiting", "going round"),
    "bouncing": ("bouncing", "bouncing up and down", "hopping", "jumping", "jumping up and down"),
}  # fmt: skip
MORE_MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "up": ("rising", "ascending", "climbing"),
    "down": ("falling", "sinking", "dropping", "descending"),
}
"""Single words that stand for a direction; drawn as often as all of the longer ways together."""
BACKGROUND_WORDS: dict[str, tuple[str, ...]] = {
    "black": ("black", "dark"),
    "white": ("white", "bright"),
    "grey": ("grey", "gray"),
    "striped": ("striped",),
    "checkered": ("checkered", "chequered"),
    "sky": ("sky",),
}
FILLERS = (
    "video", "clip", "of", "showing", "small", "big", "large", "little", "shiny",
    "beautiful", "slowly", "quickly", "smoothly", "fast", "gently", "please", "simple", "nice",
    "cute", "the", "there", "animation", "scene", "with", "very",
)  # fmt: skip
GLUE = (
    "a", "an", "and", "is", "are", "on", "in", "over", "against", "under", "background",
    "backdrop", "stripes", "checkerboard", "board", "that", "while", "another", "one", "two", "it",
    "its", "moves", "goes", "drifts", "slides", "flies", "floats", "grows", "shrinks", "circles",
    "bounces", "rises", "falls", "sinks", "night", "by", "next", "behind", "front", "which",
)  # fmt: skip
FINITE = {
    "moving": "moves", "going": "goes", "drifting": "drifts", "sliding": "slides",
    "flying": "flies", "floating": "floats", "growing": "grows", "shrinking": "shrinks",
    "circling": "circles", "bouncing": "bounces", "rising": "rises", "falling": "falls",
    "sinking": "sinks",
}  # fmt: skip
OUTLINE_WORDS = ("outline", "outlined")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-:;"


@dataclass(frozen=True)
class Told:
    """What a prompt says; an empty string where it says nothing. Objects in the order told."""

    things: tuple[tuple[str, str, str], ...]
    background: str


def vocabulary() -> list[str]:
    """Every whole word that the writer can use, sorted."""
    groups = [COLOUR_WORDS, SHAPE_WORDS, MOTION_WORDS, MORE_MOTION_WORDS, BACKGROUND_WORDS]
    texts = [text for group in groups for words in group.values() for text in words]
    words = {word for text in (*texts, *FILLERS, *GLUE, *OUTLINE_WORDS) for word in text.split()}
    return sorted(words)


def tell(chance: random.Random, scene: Scene, *, omit: float = 0.06) -> tuple[str, Told]:
    """A prompt for the scene and what it says: objects in the scene's order, any order of words.

    Each fact is left out with the chance ``omit``.
    """
    things: list[tuple[str, str, str]] = []
    for thing in scene.things:
        colour, shape, motion = (
            "" if chance.random() < omit else fact
            for fact in (thing.colour, thing.shape, thing.motion)
        )
        things.append((colour, shape, motion))
    phrases = [_phrase(chance, *facts) for facts in things]
    text = chance.choice((" and ", " and ", ", ", " while ", " next to ")).join(phrases)
    background = scene.background
    unsaid = 0.7 if background == DEFAULT_BACKGROUND else omit
    if chance.random() < unsaid:
        background = ""
    text = _with_background(chance, text, background)
    text = _dressed(chance, text)
    return text, Told(tuple(things), background)


def plain(scene: Scene) -> str:
    """The scene in the plainest words, everything said."""
    phrases = []
    for thing in scene.things:
        motion = MOTION_WORDS[thing.motion][0]
        phrases.append(f"a {thing.colour} {thing.shape} {motion}")
    return f"{' and '.join(phrases)} on a {scene.background} background"


def _phrase(chance: random.Random, colour: str, shape: str, motion: str) -> str:
    """One object; the order of its facts varies."""
    hue = chance.choice(COLOUR_WORDS[colour]) if colour else ""
    noun = chance.choice(SHAPE_WORDS[shape]) if shape else chance.choice(("one", ""))
    moves = _motion(chance, motion)
    article = chance.choice(("a", "a", "a", "the", "one", ""))
    style = chance.random()
    if style < 0.55 or not moves:
        words = [article, hue, noun, moves]
    elif style < 0.65:
        words = [article, hue, noun, "is", moves]
    elif style < 0.75:
        first, *rest = moves.split()
        words = [article, hue, noun, chance.choice(("", "that", "which")), FINITE.get(first, first)]
        words += rest
    elif style < 0.85:
        words = [article, noun, "that is", hue, "and" if hue else "", moves]
    elif style < 0.93:
        words = [moves + ":", article, hue, noun]
    else:
        words = [moves, article, hue, noun]
    return " ".join(" ".join(words).split())


def _motion(chance: random.Random, motion: str) -> str:
    if not motion:
        return ""
    if motion in MORE_MOTION_WORDS and chance.random() < 0.5:
        return chance.choice(MORE_MOTION_WORDS[motion])
    return chance.choice(MOTION_WORDS[motion])


def _with_background(chance: random.Random, text: str, background: str) -> str:
    if not background:
        return text
    name = chance.choice(BACKGROUND_WORDS[background])
    place = chance.choice(("background", "background", "backdrop"))
    ways = [f"on a {name} {place}", f"against a {name} {place}", f"in front of a {name} {place}",
            f"{name} {place}"]  # fmt: skip
    if background == "striped":
        ways.append("on stripes")
    if background == "checkered":
        ways.append("on a checkerboard")
    if background == "sky":
        ways += ["in the sky", "under the sky"]
    way = chance.choice(ways)
    return chance.choice((f"{text} {way}", f"{text}, {way}", f"{way}, {text}", f"{way}: {text}"))


def _dressed(chance: random.Random, text: str) -> str:
    """Words that say nothing, now and then one that the models never saw: both must not matter."""
    words = text.split()
    while chance.random() < 0.25:
        words.insert(chance.randint(0, len(words)), chance.choice(FILLERS))
    if chance.random() < 0.1:
        odd = "".join(chance.choices(LETTERS[:26], k=chance.randint(2, 7)))
        words.insert(chance.randint(0, len(words)), odd)
    text = " ".join(words)
    return chance.choice((text, text, text + ".", text.capitalize()))


def choices(told: Told, slot: int) -> Sequence[str]:
    """Colour, shape and motion of the object told at this place; empty strings for none."""
    return told.things[slot] if slot < len(told.things) else ("", "", "")
