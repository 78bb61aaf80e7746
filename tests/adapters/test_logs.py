"""A log never fills the disk: one old one is kept beside it."""

from pathlib import Path

from wan22_app.adapters.logs import appended


def say(log: Path, words: bytes) -> None:
    with appended(log, limit=10) as out:
        out.write(words)


def test_a_log_goes_on_until_it_is_long_and_then_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "engine-0.log"
    for words in (b"first ", b"second ", b"third ", b"fourth "):
        say(log, words)
    assert log.read_bytes() == b"third fourth "
    say(log, b"fifth ")
    assert log.read_bytes() == b"fifth "
    assert log.with_suffix(".old.log").read_bytes() == b"third fourth "
    assert len(list(log.parent.iterdir())) == 2
