"""The dispatcher's rules for downloaders, over the real store and scripted processes."""

from dataclasses import dataclass, field

import pytest

from tests.services.conftest import World
from wan22_app.domain.account import Person
from wan22_app.domain.download import Amount, Download, DownloadState
from wan22_app.services.fetching import Fetching


@dataclass
class ScriptedFetch:
    """A downloader that lives until the test says otherwise."""

    download: Download
    exit_code: int | None = None
    killed: bool = False

    def kill(self) -> None:
        self.killed = True
        self.exit_code = -9

    def last_words(self) -> str:
        return "last words"


@dataclass
class ScriptedFetcher:
    """Remembers what it started."""

    started: list[ScriptedFetch] = field(default_factory=list)
    refuses: bool = False

    def start(self, download: Download) -> ScriptedFetch:
        if self.refuses:
            raise OSError(11, "no more processes")
        self.started.append(ScriptedFetch(download))
        return self.started[-1]


@pytest.fixture
def fetcher() -> ScriptedFetcher:
    return ScriptedFetcher()


@pytest.fixture
def fetching(world: World, fetcher: ScriptedFetcher) -> Fetching:
    return Fetching(world.downloads, fetcher)


def test_one_downloader_at_a_time(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    first = world.downloads.request(person, "ti2v-5b")
    second = world.downloads.request(person, "t2v-a14b")
    fetching.tick()
    fetching.tick()
    assert [each.download.id for each in fetcher.started] == [first.id]
    world.downloads.end(first.id, DownloadState.SUCCEEDED)
    fetcher.started[0].exit_code = 0
    fetching.tick()
    assert [each.download.id for each in fetcher.started] == [first.id, second.id]


def test_a_dead_downloader_is_started_again_after_a_while(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    wish = world.downloads.request(person, "ti2v-5b")
    fetching.tick()
    fetcher.started[0].exit_code = -9
    fetching.tick()
    waiting = world.downloads.get(person, wish.id)
    assert waiting.state is DownloadState.WAITING
    assert waiting.problem is not None
    assert (waiting.problem.code, waiting.problem.evidence) == ("downloader_died", "last words")
    fetching.tick()
    assert len(fetcher.started) == 1
    world.clock.advance(10)
    fetching.tick()
    assert len(fetcher.started) == 2


def test_a_downloader_that_cannot_start_is_tried_again(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    wish = world.downloads.request(person, "ti2v-5b")
    fetcher.refuses = True
    fetching.tick()
    waiting = world.downloads.get(person, wish.id)
    assert waiting.state is DownloadState.WAITING
    assert waiting.problem is not None
    assert waiting.problem.code == "downloader_unstartable"
    fetcher.refuses = False
    world.clock.advance(10)
    fetching.tick()
    assert len(fetcher.started) == 1


def test_a_cancelled_downloader_is_ended(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    wish = world.downloads.request(person, "ti2v-5b")
    fetching.tick()
    world.downloads.request_cancel(person, wish.id)
    fetching.tick()
    assert fetcher.started[0].killed
    assert world.downloads.get(person, wish.id).state is DownloadState.CANCELLED
    fetching.tick()
    assert len(fetcher.started) == 1


def test_a_new_dispatcher_goes_on_with_what_the_old_one_left(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    wish = world.downloads.request(person, "ti2v-5b")
    fetching.tick()
    world.downloads.record(wish.id, Amount(done=1, total=2))
    after = Fetching(world.downloads, fetcher)
    after.tick()
    assert [each.download.id for each in fetcher.started] == [wish.id, wish.id]
    assert world.downloads.get(person, wish.id).attempts == 1


def test_a_stop_ends_the_downloader_and_its_row_waits_uncounted(
    world: World, fetching: Fetching, fetcher: ScriptedFetcher, person: Person
) -> None:
    wish = world.downloads.request(person, "ti2v-5b")
    fetching.tick()
    fetching.stop()
    assert fetcher.started[0].killed
    waiting = world.downloads.get(person, wish.id)
    assert (waiting.state, waiting.attempts) == (DownloadState.WAITING, 0)
