"""How long prompts of several scripts are, and where they are refused."""

from pathlib import Path

from tests.documents.tables import table
from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import build_services
from wan22_app.demo import provide
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.settings import Settings

MODEL = "demo-t2v"
SCRIPTS = {
    "English": "A red ball rolls to the left across a wooden floor. ",
    "German": "Ein größerer Ball rollt über die Straße. ",
    "Russian": "Красный мяч катится по полу. ",
    "Greek": "Μια κόκκινη μπάλα κυλάει. ",
    "Arabic": "كرة حمراء تتدحرج على الأرض. ",
    "Hebrew": "כדור אדום מתגלגל על הרצפה. ",
    "Hindi": "एक लाल गेंद फर्श पर लुढ़कती है। ",
    "Thai": "ลูกบอลสีแดงกลิ้งไปบนพื้น ",
    "Chinese": "一个红色的球滚过木地板。",
    "Japanese": "赤いボールが床を転がる。",
    "Korean": "빨간 공이 바닥을 굴러간다. ",
    "emoji": "🎈🐈‍⬛👩🏽‍🚀🏳️‍🌈 ",
}
LIMIT = 512
ODD = {
    "nothing": "",
    "spaces only": "   ",
    "a line break inside": "first\nsecond",
    "a tabulator inside": "first\tsecond",
    "a null character": "a\0b",
    "half of a surrogate pair": "a\ud800b",
    "a letter and its accent apart": "e\u0301",
    "2000 characters of one word": "a" * 2000,
    "2001 characters": "a" * 2001,
}


def prompt_table(folder: Path) -> str:
    """One character, one sentence, the most that is read, and one more; then the odd ones."""
    judge = Judge(folder)
    heads = ("script", "one character", "a sentence", "longest that is read", "one more")
    odd = ([name, judge.words(text)] for name, text in ODD.items())
    return table(heads, (judge.row(*item) for item in SCRIPTS.items())) + "\n" + table(
        ("prompt", "result"), odd
    )  # fmt: skip


class Judge:
    """The submission that the form asks, over demo models of its own."""

    def __init__(self, folder: Path):
        places = {name: folder / name for name in ("data", "outputs", "models", "loras")}
        provide(places["models"])
        services = build_services(Settings(**places))
        migrate(services.settings.database)
        self._library, self._submission = services.library, services.submission

    def row(self, script: str, sentence: str) -> list[str]:
        """Counts for a script; the longest is found by trying, as a person would."""
        longest = self._longest(sentence)
        cells = [
            sentence[0],
            sentence.strip(),
            longest,
            self._of_length(sentence, len(longest) + 1),
        ]
        return [script, *(self._cell(text) for text in cells)]

    def words(self, text: str) -> str:
        """What the form says to this prompt."""
        fields = {"model": MODEL, "prompt": text}
        problems = self._submission.check(LOCAL_PERSON, fields).problems
        return f"refused: {problems[0].sentence()}" if problems else "accepted"

    def _cell(self, text: str) -> str:
        text = text.strip()  # as the form reads it
        tokens = self._library.tokens(self._library.entry(MODEL), text)
        verdict = self.words(text)
        unit = "character" if len(text) == 1 else "characters"
        count = f"{len(text)} {unit}, {tokens} tokens"
        return count if verdict == "accepted" else f"{count}: {verdict}"

    def _of_length(self, sentence: str, length: int) -> str:
        return (sentence * (length // len(sentence) + 1))[:length]

    def _longest(self, sentence: str) -> str:
        """By halving: a longer beginning of a repeated sentence never has fewer tokens."""
        low, high = 1, 4 * LIMIT
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.words(self._of_length(sentence, middle)) == "accepted"
            low, high = (middle, high) if fits else (low, middle)
        return self._of_length(sentence, low)
