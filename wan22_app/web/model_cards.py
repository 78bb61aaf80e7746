"""What the browser sees of a model: texts ready to show, and the one thing that can be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wan22_app.domain.catalog import ModelEntry, WeightsState
from wan22_app.domain.download import Download, DownloadState
from wan22_app.domain.needs import needs
from wan22_app.services.weights import Shelf
from wan22_app.web import words
from wan22_app.web.views import about

GB = 1000**3
MB = 1000**2


@dataclass(frozen=True)
class ModelCard:
    """A row of the models. ``state`` is one of ready, missing, damaged, waiting, running.

    ``action`` is get, retry, cancel or empty. The problem is the last download's, else the
    weights' own.
    """

    key: str = ""
    name: str = ""
    state: str = ""
    state_text: str = ""
    size: str = ""
    needs: str = ""
    repo: str = ""
    folder: str = ""
    action: str = ""
    download_id: str = ""
    moving: bool = False
    percent: int = 0
    progress: str = ""
    what: str = ""
    cause: str = ""
    cure: str = ""
    evidence: str = ""


def model_cards(shelves: Sequence[Shelf], now: datetime) -> list[ModelCard]:
    """All models, in the library's order."""
    return [_card(shelf, now) for shelf in shelves]


def _card(shelf: Shelf, now: datetime) -> ModelCard:
    entry, download = shelf.entry, shelf.download
    card = _resting(entry)
    if entry.ready or download is None:
        return card
    if not download.state.final:
        return _moving(card, download, now)
    kept = words.WEIGHTS_KEPT.format(amount=amount(download.done_bytes, download.done_bytes))
    card = replace(card, action="retry" if card.action else "")
    if download.state is DownloadState.CANCELLED and download.done_bytes:
        return replace(card, cure=f"{kept} {card.cure}")
    if download.state is DownloadState.FAILED and download.problem is not None:
        return _with_problem(card, download)
    return card


def _resting(entry: ModelEntry) -> ModelCard:
    """A model that nobody fetches."""
    spec = entry.spec
    here = entry.state is not WeightsState.MISSING
    size = words.MODEL_ON_DISK if here else words.MODEL_TO_FETCH
    # Of a model that is only missing, size, repository and button say all there is.
    fault = (entry.problem, entry.cure) if here or spec.demo or spec.packed else ("", "")
    return ModelCard(
        key=spec.key,
        name=spec.name,
        state=str(entry.state),
        state_text=words.MODEL_STATES[entry.state],
        size=size.format(amount=amount(entry.bytes, entry.bytes)),
        needs=_needs(entry),
        repo=spec.repo if not spec.demo else "",
        folder=entry.folder,
        action="" if entry.ready or not spec.repo else "get",
        what=fault[0],
        cure=fault[1],
    )


def _needs(entry: ModelEntry) -> str:
    if entry.spec.demo:
        return words.MODEL_DEMO
    wanted = needs(entry.spec)
    return words.MODEL_NEEDS.format(vram=_gigabytes(wanted.vram), ram=_gigabytes(wanted.ram))


def _moving(card: ModelCard, download: Download, now: datetime) -> ModelCard:
    """On its way, or waiting to be."""
    running = download.state is DownloadState.RUNNING
    total = download.total_bytes
    card = replace(
        card,
        state=str(download.state),
        state_text=words.DOWNLOAD_STATES[download.state],
        action="" if download.cancel_requested else "cancel",
        download_id=download.id,
        size="" if total else card.size,  # the hub's own figure is in the progress
        moving=True,
        percent=100 * download.done_bytes // total if total else 0,
        progress=_progress(download),
        what="",
        cure="",
    )
    if download.problem is None or running:
        return card
    card = _with_problem(card, download)
    if download.retry_at is not None and download.retry_at > now:
        seconds = (download.retry_at - now).total_seconds()
        card = replace(card, progress=words.DOWNLOAD_AGAIN.format(time=about(seconds)))
    return card


def _with_problem(card: ModelCard, download: Download) -> ModelCard:
    problem = download.problem
    if problem is None:
        return card
    return replace(
        card, what=problem.what, cause=problem.cause, cure=problem.cure, evidence=problem.evidence
    )


def _progress(download: Download) -> str:
    """``3.1 of 24 GB, 48 MB/s, about 7 min left``."""
    if download.cancel_requested:
        return words.CANCELLING
    if download.state is DownloadState.WAITING:
        return words.DOWNLOAD_NEXT
    if not download.total_bytes:
        return words.DOWNLOAD_ASKING
    parts = [amount(download.done_bytes, download.total_bytes, of=True)]
    speed = download.bytes_per_second / MB
    if speed > 0:
        parts.append(f"{speed:.0f} MB/s" if speed >= 10 else f"{speed:.1f} MB/s")
    if download.seconds_left is not None:
        parts.append(f"{about(download.seconds_left)} {words.LEFT}")
    return ", ".join(parts)


def amount(done: int, total: int, *, of: bool = False) -> str:
    """``24 GB``, or ``3.1 of 24 GB`` in the unit of the whole."""
    unit, size = ("GB", GB) if total >= GB else ("MB", MB)
    whole = f"{total / size:.0f}" if total >= 10 * size else f"{total / size:.1f}"
    part = f"{done / size:.1f}" if total >= size else f"{done / size:.2f}"
    return f"{part} of {whole} {unit}" if of else f"{whole} {unit}"


def _gigabytes(count: int) -> str:
    return f"{count / GB:.0f} GB"
