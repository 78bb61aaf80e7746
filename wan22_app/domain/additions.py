"""What the enhancer adds where a prompt is silent, by kind of picture.

The order of ``ORDER`` is the order of importance and of the text: motion, camera, light, then style
and quality, as in the guide's formula. Every phrase is one that ``reading`` recognises as the value
it stands for, and none names a subject, so that an enhanced prompt reads like the one before.
"""

from wan22_app.domain.cinema import MOVING, Dimension
from wan22_app.domain.reading import Language, Reading
from wan22_app.domain.subject import Kind
from wan22_app.domain.values import Value


class Addition(Value):
    """A phrase for a silent dimension; ``name`` is the term's value."""

    dimension: Dimension
    name: str
    english: str
    chinese: str

    def phrase(self, language: Language) -> str:
        """The words in the prompt's language."""
        return self.chinese if language is Language.CHINESE else self.english


ORDER = (
    Dimension.MOTION,
    Dimension.MOVEMENT,
    Dimension.SHOT,
    Dimension.ANGLE,
    Dimension.SOURCE,
    Dimension.LIGHT,
    Dimension.TIME,
    Dimension.LENS,
    Dimension.STYLE,
    Dimension.QUALITY,
)
WITH_IMAGE = frozenset({Dimension.MOTION, Dimension.MOVEMENT})
"""An image has settled the rest."""
DRAWN = frozenset({Dimension.MOTION, Dimension.MOVEMENT, Dimension.SHOT})
"""The guide keeps the words of film away from drawn styles."""

Phrases = dict[Kind, tuple[str, str, str]]

_BY_KIND: dict[Dimension, Phrases] = {
    Dimension.MOTION: {
        Kind.PERSON: ("motion", "natural subtle movements", "动作自然细微"),
        Kind.FIGURE: ("motion", "natural movements in a light breeze", "微风中动作自然"),
        Kind.ANIMAL: ("motion", "natural lively movements", "动作自然灵动"),
        Kind.LANDSCAPE: ("motion", "gentle breeze moving through", "微风轻轻拂动"),
        Kind.ANY: ("motion", "slow steady motion", "缓慢平稳的运动"),
    },
    Dimension.MOVEMENT: {
        Kind.ACTION: ("track", "tracking shot", "跟随镜头"),
        Kind.FIGURE: ("pull", "camera slowly pulls back", "镜头缓慢拉远"),
        Kind.ANIMAL: ("track", "camera slowly follows", "镜头缓慢跟随"),
        Kind.VEHICLE: ("track", "tracking shot", "跟随镜头"),
        Kind.OBJECT: ("orbit", "slow arc shot", "缓慢环绕运镜"),
        Kind.LANDSCAPE: ("pan-right", "camera slowly pans right", "镜头缓慢向右摇"),
        Kind.ANY: ("push", "camera slowly pushes in", "镜头缓慢推进"),
    },
    Dimension.SHOT: {
        Kind.ACTION: ("wide", "wide shot", "全景"),
        Kind.PERSON: ("medium-close", "medium close-up shot", "中近景"),
        Kind.FIGURE: ("medium-wide", "medium wide shot", "中全景"),
        Kind.VEHICLE: ("wide", "wide shot", "全景"),
        Kind.OBJECT: ("close", "close-up shot", "特写"),
        Kind.LANDSCAPE: ("extreme-wide", "extreme wide shot", "极端全景"),
        Kind.ANY: ("medium", "medium shot", "中景"),
    },
    Dimension.ANGLE: {
        Kind.ACTION: ("low-angle", "low angle shot", "低角度拍摄"),
        Kind.LANDSCAPE: ("high-angle", "high angle shot", "高角度拍摄"),
        Kind.ANY: ("eye-level", "eye-level view", "平视"),
    },
    Dimension.LENS: {
        Kind.ACTION: ("wide-lens", "wide-angle lens", "广角镜头"),
        Kind.PERSON: ("shallow", "shallow depth of field", "浅景深"),
        Kind.FIGURE: ("wide-lens", "wide-angle lens", "广角镜头"),
        Kind.ANIMAL: ("telephoto", "telephoto lens", "长焦镜头"),
        Kind.OBJECT: ("shallow", "shallow depth of field", "浅景深"),
        Kind.LANDSCAPE: ("wide-lens", "wide-angle lens", "广角镜头"),
        Kind.ANY: ("medium-lens", "medium focal length lens", "中焦距镜头"),
    },
    Dimension.STYLE: {Kind.ANY: ("filmic", "cinematic style", "电影风格")},
    Dimension.QUALITY: {
        Kind.ANY: ("fine", "fine detail and natural exposure", "细节清晰，曝光自然")
    },
}

_SOURCES = {
    "sun": ("daylight", "日光"),
    "overcast": ("overcast lighting", "阴天光"),
    "moon": ("moonlight", "月光"),
    "practical": ("practical lighting", "实用光"),
    "artificial": ("artificial lighting", "人工光"),
}
_LIGHTS = {"soft": ("soft lighting", "柔光"), "edge": ("edge lighting", "边缘光")}
_TIMES = {"day": ("daytime", "白天"), "night": ("night time", "夜晚")}


def addition(dimension: Dimension, reading: Reading, names: frozenset[str]) -> Addition | None:
    """What fits a silent dimension; ``names`` is all that is settled by now. None: leave it."""
    match dimension:
        case Dimension.MOTION if reading.kind is Kind.OBJECT and not _still(names):
            return None  # around a thing the camera moves, and the thing may rest
        case Dimension.MOTION if reading.place.no_daylight:
            return _by_kind(dimension, Kind.ANY)  # no breeze under water
        case Dimension.ANGLE:
            # The guide: a moving camera gets no angle on top.
            return _by_kind(dimension, reading.kind) if _still(names) else None
        case Dimension.SOURCE:
            return _named(dimension, _SOURCES, _source(reading, names))
        case Dimension.LIGHT:
            night = names & {"night", "moon"}
            return _named(dimension, _LIGHTS, "edge" if night else "soft")
        case Dimension.TIME:
            return _named(dimension, _TIMES, _time(reading, names))
        case _:
            return _by_kind(dimension, reading.kind)


def _still(names: frozenset[str]) -> bool:
    return "static" in names and not names & MOVING


def _by_kind(dimension: Dimension, kind: Kind) -> Addition:
    phrases = _BY_KIND[dimension]
    name, english, chinese = phrases.get(kind) or phrases[Kind.ANY]
    return Addition(dimension=dimension, name=name, english=english, chinese=chinese)


def _named(dimension: Dimension, phrases: dict[str, tuple[str, str]], name: str) -> Addition | None:
    if not name:
        return None
    english, chinese = phrases[name]
    return Addition(dimension=dimension, name=name, english=english, chinese=chinese)


def _source(reading: Reading, names: frozenset[str]) -> str:
    place = reading.place
    if place.no_daylight:
        return ""
    if "night" in names:
        return "practical" if place.indoor else "artificial" if place.city else "moon"
    return "overcast" if place.weather and not place.indoor else "sun"


def _time(reading: Reading, names: frozenset[str]) -> str:
    """Day unless something says otherwise, as the guide has it; a lamp says neither."""
    if reading.place.no_daylight:
        return ""
    if "moon" in names:
        return "night"
    return "day" if not names & {"practical", "artificial", "neon", "fire", "fluorescent"} else ""


def every_addition() -> tuple[Addition, ...]:
    """All phrases that can ever be added, for the tests that keep them honest."""
    found = [_by_kind(dimension, kind) for dimension in _BY_KIND for kind in _BY_KIND[dimension]]
    tables = ((Dimension.SOURCE, _SOURCES), (Dimension.LIGHT, _LIGHTS), (Dimension.TIME, _TIMES))
    named = (_named(d, table, name) for d, table in tables for name in table)
    return (*found, *(each for each in named if each is not None))
