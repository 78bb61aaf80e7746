"""What a downloader process does with the one row it was started for."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from wan22_app.domain.catalog import CATALOG
from wan22_app.domain.download import Amount, Download, DownloadState
from wan22_app.domain.errors import Problem, Unwritable, UserError
from wan22_app.ports import DownloadStore, HubTrouble
from wan22_app.services.bringing import Bringing, Wanted

log = logging.getLogger(__name__)


class Unwanted(Exception):
    """The row is no longer ours to work for: cancelled, or given to another process."""


@dataclass
class Downloading:
    """Fetches, and writes how it went. The dispatcher ends what ends without a verdict."""

    downloads: DownloadStore
    bringing: Bringing

    def run(self, download_id: str) -> None:
        """Work for a running row until a verdict stands in it."""
        download = next((row for row in self.downloads.running() if row.id == download_id), None)
        if download is None:
            return
        last = Amount()

        def report(amount: Amount) -> None:
            nonlocal last
            last = amount
            if not self.downloads.record(download_id, amount):
                raise Unwanted

        try:
            self.bringing.bring(self._wanted(download, report))
        except Unwanted:
            log.info("no longer wanted")
        except UserError as error:
            log.info("%s", error.problem.model_dump_json())
            self._ended_early(download_id, error, last)
        else:
            self.downloads.end(download_id, DownloadState.SUCCEEDED)

    def _wanted(self, download: Download, report: Callable[[Amount], None]) -> Wanted:
        spec = CATALOG.get(download.model)
        if spec is None or not spec.repo:
            raise UserError(Problem(code="weights_homeless", what="No hub has this model."))
        return Wanted(spec.key, spec.repo, report)

    def _ended_early(self, download_id: str, error: UserError, last: Amount) -> None:
        """What may pass is tried again later if anything came yet; the rest is for the person."""
        passing = isinstance(error, HubTrouble) and last.done > 0
        if passing or isinstance(error, Unwritable) or error.problem.code == "hub_changed":
            self.downloads.put_back(download_id, error.problem)
        else:
            self.downloads.end(download_id, DownloadState.FAILED, error.problem)
