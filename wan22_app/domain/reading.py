"""Reading a prompt: its language, what it settles already, where it contradicts itself."""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

from wan22_app.domain import subject
from wan22_app.domain.cinema import CONFLICTS, TERMS, VACE, Dimension
from wan22_app.domain.subject import Kind
from wan22_app.domain.values import Value


class Language(StrEnum):
    """The languages that Wan2.2's guides are written for, and all others."""

    ENGLISH = "en"
    CHINESE = "zh"
    OTHER = "other"


class Mention(Value):
    """A term of film found in the text. ``denied``: "no close-up" names it without wanting it."""

    dimension: Dimension
    name: str
    words: str
    start: int
    end: int
    denied: bool = False


class Place(Value):
    """Where and in what weather a scene plays, as far as its words tell."""

    indoor: bool
    city: bool
    weather: bool
    no_daylight: bool


class Reading(Value):
    """Everything that the enhancer knows about a prompt."""

    language: Language
    mentions: tuple[Mention, ...]
    conflicts: tuple[tuple[str, str], ...]
    vace: tuple[str, ...]
    kind: Kind
    place: Place

    @property
    def covered(self) -> frozenset[Dimension]:
        """Dimensions in which the prompt has already spoken."""
        return frozenset(mention.dimension for mention in self.mentions)

    @property
    def names(self) -> frozenset[str]:
        """Values that the prompt asks for."""
        return frozenset(mention.name for mention in self.mentions if not mention.denied)


_SIMPLIFIED = str.maketrans(
    "鏡頭遠寫視攝動靜穩電風畫運環繞長廣魚實燈陰藝無機間鐘陽籠體積調對細節豐富曝質號飛貓馬鳥龍魚熊獅樹"
    "雲島橋灣國漢無會說話內臥廳辦圖書館場聖爐燭紅綠藍黃極淺慢動與個這裡跑車樂過門開關幾壓緩進後縮飄轉"
    "搖擺滾劇戰鬥爆賽滑沖奔馳躍孩軍醫術師員婦媽爸爺奶夜陣霧霓燃燒",
    "镜头远写视摄动静稳电风画运环绕长广鱼实灯阴艺无机间钟阳笼体积调对细节丰富曝质号飞猫马鸟龙鱼熊狮树"
    "云岛桥湾国汉无会说话内卧厅办图书馆场圣炉烛红绿蓝黄极浅慢动与个这里跑车乐过门开关几压缓进后缩飘转"
    "摇摆滚剧战斗爆赛滑冲奔驰跃孩军医术师员妇妈爸爷奶夜阵雾霓燃烧",
)
"""Traditional characters as far as the vocabulary uses them; for recognition only."""
_QUOTES = str.maketrans("’‘“”–—‐‑", "''\"\"----")


def plain(text: str) -> str:
    """The text as patterns see it: compatible forms, lower case, single spaces, simplified."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_QUOTES).translate(_SIMPLIFIED).split())


def read(text: str) -> Reading:
    """Read a prompt. Never raises; text in other languages yields its English terms only."""
    folded = plain(text)
    mentions = tuple(_mentions(folded))
    return Reading(
        language=_language(folded),
        mentions=mentions,
        conflicts=tuple(_conflicts(folded, mentions)),
        vace=tuple(dict.fromkeys(match.group() for match in _VACE.finditer(folded))),
        kind=_kind(folded),
        place=Place(
            indoor=_has(subject.INDOOR, folded),
            city=_has(subject.CITY, folded),
            weather=_has(subject.WEATHER, folded),
            no_daylight=_has(subject.NO_DAYLIGHT, folded),
        ),
    )


# Terms


def _either(english: str, chinese: str) -> str:
    # Latin letters and digits only: in Chinese text a word stands without spaces around it.
    return f"(?<![a-z0-9])(?:{english})(?![a-z0-9])|{chinese}"


def _pattern(dimension: Dimension) -> re.Pattern[str]:
    values = [term for term in TERMS if term.dimension is dimension]
    groups = (f"(?P<{v.name.replace('-', '_')}>{_either(v.english, v.chinese)})" for v in values)
    return re.compile("|".join(groups))


_PATTERNS = {d: _pattern(d) for d in dict.fromkeys(term.dimension for term in TERMS)}
_VACE = re.compile(rf"(?<![a-z])(?:{VACE})")
_DENIAL = re.compile(
    r"(?:\b(?:no|not|without|never|avoid|non)|n't)[ -](?:an? |the |any )?$|[不没无别][有要]?$"
)
_MOTION = re.compile(f"{_either(*subject.ACTION)}|{_either(*subject.MOTION)}")
_ONGOING = re.compile(rf"(?<![a-z]){subject.ONGOING}(?![a-z])")


def _mentions(folded: str) -> Iterator[Mention]:
    for dimension, pattern in _PATTERNS.items():
        for match in pattern.finditer(folded):
            yield Mention(
                dimension=dimension,
                name=str(match.lastgroup).replace("_", "-"),
                words=match.group(),
                start=match.start(),
                end=match.end(),
                denied=_DENIAL.search(folded[max(0, match.start() - 20) : match.start()])
                is not None,
            )
    yield from _motion(folded, [*_camera_spans(folded)])


def _camera_spans(folded: str) -> Iterator[tuple[int, int]]:
    """What the camera does is no motion of the subject."""
    for match in _PATTERNS[Dimension.MOVEMENT].finditer(folded):
        yield match.span()


def _motion(folded: str, camera: list[tuple[int, int]]) -> Iterator[Mention]:
    """The first word that lets something in the picture move."""
    ongoing = (m for m in _ONGOING.finditer(folded) if m.group() not in subject.STILL)
    for match in (*_MOTION.finditer(folded), *ongoing):
        if not any(start <= match.start() < end for start, end in camera):
            yield Mention(
                dimension=Dimension.MOTION,
                name="motion",
                words=match.group(),
                start=match.start(),
                end=match.end(),
            )
            return


# Conflicts

_IN_TURN = re.compile(
    r"\b(?:then|into|until|before|after|becom\w+|turn\w*|chang\w+|shift\w+|transition\w*|gradually"
    r"|finally|followed by|dissolv\w+|fad(?:es?|ing)|cuts? to)\b|^\W*(?:slowly )?to (?:an? "
    r"|the )?\W*$"
    r"|然后|接着|随后|变成|变为|转为|过渡|切换|再|逐渐|渐渐|^到$"
)


def _conflicts(folded: str, mentions: tuple[Mention, ...]) -> Iterator[tuple[str, str]]:
    """Pairs that exclude each other, in the prompt's own words and order; each pair once."""
    # The first mention of each wording is enough, and keeps a text full of repetitions quick.
    firsts = {m.words: m for m in reversed(mentions) if not m.denied}
    wanted = sorted(firsts.values(), key=lambda m: m.start)
    seen: set[frozenset[str]] = set()
    for index, first in enumerate(wanted):
        for second in wanted[index + 1 :]:
            pair = frozenset({first.words, second.words})
            if pair in seen or not exclude(first.name, second.name):
                continue
            if _IN_TURN.search(folded[first.end : second.start]) is None:
                seen.add(pair)
                yield first.words, second.words


def exclude(one: str, other: str) -> bool:
    """Whether two values contradict each other, in either order."""
    return any(
        (one in left and other in right) or (other in left and one in right)
        for left, right in CONFLICTS
    )


# Subject and language


Patterns = tuple[str, str]
"""English and Chinese."""


def _compiled(words: Patterns) -> re.Pattern[str]:
    return re.compile(_either(*words))


_ACTION = _compiled(subject.ACTION)
_KINDS = {
    Kind.PERSON: _compiled(subject.PERSON),
    Kind.ANIMAL: _compiled(subject.ANIMAL),
    Kind.VEHICLE: _compiled(subject.VEHICLE),
    Kind.OBJECT: _compiled(subject.OBJECT),
    Kind.LANDSCAPE: _compiled(subject.LANDSCAPE),
}
_FACTS: dict[Patterns, re.Pattern[str]] = {
    words: _compiled(words)
    for words in (subject.INDOOR, subject.CITY, subject.WEATHER, subject.NO_DAYLIGHT)
}


def _has(words: Patterns, folded: str) -> bool:
    return _FACTS[words].search(folded) is not None


def _kind(folded: str) -> Kind:
    """Action wins, then whatever is named first: people write the subject before the rest."""
    if _ACTION.search(folded):
        return Kind.ACTION
    matches = {kind: match for kind, p in _KINDS.items() if (match := p.search(folded))}
    first = min(matches, key=lambda kind: matches[kind].start(), default=Kind.ANY)
    if first is Kind.LANDSCAPE and Kind.ANIMAL in matches:
        return Kind.ANIMAL
    if first in (Kind.PERSON, Kind.LANDSCAPE) and {Kind.PERSON, Kind.LANDSCAPE} <= matches.keys():
        return Kind.FIGURE
    return first


_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    _WORD.findall("a an the of with and is are in on at to from by his her its as")
)
_FOREIGN = frozenset(
    _WORD.findall(
        "der das und ein eine einen mit auf im ist über durch von dem den"
        " le les une dans sur avec du et au qui est sous un"
        " el los las una en con por del sobre bajo que"
        " il gli di della nel sul che alla"
        " os um uma com em da ao"
        " het een op met van naar och på med ett w na z się jest bir ve ile"
    )
)
"""Little words that English lacks, of the Latin-written languages that people use most."""


def _language(folded: str) -> Language:
    """Chinese, English (also without any word at all), or something that is not read here."""
    han, kana = len(_HAN.findall(folded)), len(_KANA.findall(folded))
    words = [word for word in _WORD.findall(folded) if not _HAN.search(word)]
    latin = [word for word in words if not word.strip("abcdefghijklmnopqrstuvwxyz")]
    strange = len(words) - len(latin)
    if kana * 8 > han and kana > len(latin):
        return Language.OTHER
    if han > len(latin) and han > strange:
        return Language.CHINESE
    foreign = sum(word in _FOREIGN for word in words)
    english = sum(word in _ENGLISH for word in words)
    if strange > len(latin) or foreign > english:
        return Language.OTHER
    return Language.ENGLISH
