"""``wan22 enhance``: a fuller prompt on standard output, what to know about it beside that."""

import argparse
import json
import sys
from io import TextIOWrapper
from typing import Any

from wan22_app.bootstrap import Services, services
from wan22_app.domain.account import LOCAL_PERSON


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("enhance", help="add words of camera, light and style to a prompt")
    parser.add_argument("prompt")
    parser.add_argument("--model", help="whose limit counts; without it the first that can run")
    parser.add_argument("--with-image", action="store_true", help="the video starts from an image")
    parser.add_argument("--json", action="store_true", help="one JSON object with all pieces")
    parser.set_defaults(command=enhance)


def enhance(args: argparse.Namespace) -> int:
    """Print the text, so that it can be piped on; the notes go to standard error."""
    app = services()
    model = args.model or _first(app)
    result = app.enhancement.suggest(LOCAL_PERSON, model, args.prompt, has_image=args.with_image)
    if args.json:
        length = app.enhancement.length(LOCAL_PERSON, model, result.text)
        line = {"model": model, **result.model_dump(), "length": length.model_dump()}
        sys.stdout.write(json.dumps(line) + "\n")
        return 0
    if isinstance(sys.stdout, TextIOWrapper):
        # A pipe on Windows would refuse what its code page lacks, Chinese for one.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for note in result.notes:
        sys.stderr.write(note.text + "\n")
    sys.stdout.write(result.text + "\n")
    return 0


def _first(app: Services) -> str:
    """The model that the page would choose."""
    return min(app.library.entries(), key=lambda entry: not entry.ready).spec.key
