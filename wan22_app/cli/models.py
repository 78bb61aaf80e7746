"""``wan22 models``: which models are here, and bringing those that are not."""

import argparse
import json
import sys
from typing import Any

from wan22_app.adapters.locks import Attachment
from wan22_app.bootstrap import Services, prepare, services
from wan22_app.cli.bar import WIDTH, Bar
from wan22_app.cli.waiting import follow
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import GB, WeightsState
from wan22_app.domain.download import Download, DownloadState
from wan22_app.domain.errors import Conflict
from wan22_app.services.weights import Shelf

FAILED = 1
INTERRUPTED = 130
STATES = {
    WeightsState.READY: "ready",
    WeightsState.MISSING: "not here",
    WeightsState.DAMAGED: "damaged",
}


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("models", help="list the models, or get one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(command=show)
    inner = parser.add_subparsers(metavar="get", required=False)
    fetch = inner.add_parser("get", help="bring a model's weights; goes on where it stopped")
    fetch.add_argument("key", help="as wan22 models lists it, such as ti2v-5b")
    fetch.add_argument("--json", action="store_true", help="one JSON object at the end")
    fetch.set_defaults(command=get)


def show(args: argparse.Namespace) -> int:
    """One line for each model."""
    app = services()
    prepare(app.settings)
    for shelf in app.weights.shelves(LOCAL_PERSON):
        if args.json:
            sys.stdout.write(json.dumps(_facts(shelf), ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(_line(shelf) + "\n")
    return 0


def get(args: argparse.Namespace) -> int:
    """Ask, follow, report. Ctrl-C cancels; what has come is kept for the next time."""
    app = services()
    prepare(app.settings)
    with Attachment(app.settings.locks):
        try:
            download = app.weights.get(LOCAL_PERSON, args.key)
        except Conflict:
            return _report(app, args, None)
        try:
            download = _wait(app, download)
        except KeyboardInterrupt:
            app.weights.cancel(LOCAL_PERSON, download.id)
            _wait(app, download)
            return INTERRUPTED
    return _report(app, args, download)


def _wait(app: Services, download: Download) -> Download:
    bar = Bar(sys.stderr)
    return follow(
        app,
        download,
        lambda download_id: app.weights.look(LOCAL_PERSON, download_id),
        bar,
        lambda now: bar.draw(describe(now)),
    )


def _report(app: Services, args: argparse.Namespace, download: Download | None) -> int:
    """``download`` is None when the model was here before."""
    entry = app.library.entry(args.key)
    line: dict[str, object] = {"model": args.key, "state": entry.state, "folder": entry.folder}
    if download is not None and download.problem is not None:
        line["problem"] = download.problem.model_dump()
        sys.stderr.write(download.problem.sentence() + "\n")
    if args.json:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    elif entry.ready:
        sys.stdout.write(f"{entry.spec.name} is ready in {entry.folder}.\n")
    return 0 if entry.ready else FAILED


def describe(download: Download) -> str:
    """One line: a bar with amounts and speed, or why it waits."""
    if download.problem is not None:
        return f"waiting: {download.problem.what}"
    if not download.total_bytes:
        return "waiting" if download.state is DownloadState.WAITING else "asking the hub"
    filled = WIDTH * min(download.done_bytes, download.total_bytes) // download.total_bytes
    bar = "=" * filled + "-" * (WIDTH - filled)
    speed = f" {download.bytes_per_second / 1e6:.0f} MB/s" if download.bytes_per_second else ""
    return f"[{bar}] {download.done_bytes / GB:.1f} of {download.total_bytes / GB:.1f} GB{speed}"


def _line(shelf: Shelf) -> str:
    entry, download = shelf.entry, shelf.download
    state = STATES[entry.state]
    if download is not None and not download.state.final:
        state = describe(download)
    return f"{entry.spec.key:<12} {entry.bytes / GB:>6.1f} GB  {state}"


def _facts(shelf: Shelf) -> dict[str, object]:
    entry = shelf.entry
    return {
        "model": entry.spec.key,
        "name": entry.spec.name,
        "state": entry.state,
        "bytes": entry.bytes,
        "folder": entry.folder,
        "repo": entry.spec.repo,
        "download": shelf.download.model_dump(mode="json") if shelf.download else None,
    }
