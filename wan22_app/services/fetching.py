"""The dispatcher's other duty: one downloader at a time, beside whatever the card does."""

import logging
from dataclasses import dataclass, field

from wan22_app.domain.download import Download, DownloadState
from wan22_app.domain.errors import Problem
from wan22_app.ports import DownloadStore, Fetch, Fetcher

log = logging.getLogger(__name__)


@dataclass
class Flight:
    """A downloader and the row that it works for."""

    fetch: Fetch
    download: Download


@dataclass
class Fetching:
    """Starts, cancels and succeeds downloaders. One in the world, as the dispatcher is."""

    downloads: DownloadStore
    fetcher: Fetcher
    _flight: Flight | None = field(default=None, init=False)
    _rescued: bool = field(default=False, init=False)

    def tick(self) -> None:
        """One round; never waits for the network."""
        if not self._rescued:
            self._rescue()
        if self._flight is not None:
            self._watch(self._flight)
        if self._flight is None:
            self._start()

    def stop(self) -> None:
        """End the downloader; its row waits for the next dispatcher, uncounted."""
        if self._flight is not None:
            self._flight.fetch.kill()
            self.downloads.put_back(self._flight.download.id, None)
            self._flight = None

    def _rescue(self) -> None:
        """Rows that a dead dispatcher left running: its downloader ends with its pipe."""
        for download in self.downloads.running():
            self.downloads.put_back(download.id, None)
        self._rescued = True

    def _start(self) -> None:
        download = self.downloads.claim_next()
        if download is None:
            return
        log.info("download %s: %s, attempt %d", download.id, download.model, download.attempts)
        try:
            self._flight = Flight(self.fetcher.start(download), download)
        except OSError as error:
            # Claimed but not started: nobody else would ever put the row back.
            self.downloads.put_back(download.id, _unstartable(error))

    def _watch(self, flight: Flight) -> None:
        if flight.fetch.exit_code is not None:
            # The row first: if the database fails here, the next round must come by again.
            self._conclude(flight)
            self._flight = None
        elif self._is_unwanted(flight.download.id):
            # A kill is as good as a polite end: parts are gone on with from any byte.
            flight.fetch.kill()
            self.downloads.end(flight.download.id, DownloadState.CANCELLED)
            self._flight = None

    def _is_unwanted(self, download_id: str) -> bool:
        """Cancelled by its person, or taken out of our hands by a change of the row."""
        return not any(
            each.id == download_id and not each.cancel_requested
            for each in self.downloads.running()
        )

    def _conclude(self, flight: Flight) -> None:
        """A downloader writes its own verdict; without one it has died."""
        left = [each for each in self.downloads.running() if each.id == flight.download.id]
        log.info("download %s: exit %s", flight.download.id, flight.fetch.exit_code)
        if left:
            self.downloads.put_back(flight.download.id, _died(flight.fetch))


def _unstartable(error: OSError) -> Problem:
    return Problem(
        code="downloader_unstartable",
        what="The downloader could not be started.",
        cause=f"{error.strerror or type(error).__name__}.",
        cure="It is tried again by itself.",
        evidence=str(error)[:300],
    )


def _died(fetch: Fetch) -> Problem:
    return Problem(
        code="downloader_died",
        what=f"Fetching stopped by itself (exit {fetch.exit_code}).",
        cause="The process was ended from outside, or memory ran out.",
        cure="It goes on by itself; what came is kept.",
        evidence=fetch.last_words()[-2000:],
    )
