"""``wan22 verify``: a video made again from its own recipe, and compared picture by picture."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from wan22_app.adapters.system import SystemSecrets
from wan22_app.bootstrap import prepare, services
from wan22_app.cli.waiting import wait
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.comparison import Comparison
from wan22_app.domain.job import JobState

DIFFERENT = 1
INTERRUPTED = 130
SENTENCES = {
    "equal": "All {frames} pictures are equal: the video is what its recipe says.",
    "similar": "The pictures differ by rounding only{worst}.",
    "different": "This is another video: {frames} and {others} pictures{worst}.",
}


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("verify", help="make a video again and compare")
    parser.add_argument("video", type=Path, help="an mp4 that was made here")
    parser.add_argument("--keep", action="store_true", help="keep what was made for it")
    parser.set_defaults(command=verify)


def verify(args: argparse.Namespace) -> int:
    """Say what differs here, make it again, compare; 0 only when every picture is equal."""
    app = services()
    recipe = app.verification.recipe(args.video)
    prepare(app.settings)
    for difference in app.verification.differences(recipe):
        sys.stderr.write(difference.sentence() + "\n")
    job = wait(app, app.verification.make(LOCAL_PERSON, recipe, SystemSecrets().new_id()))
    if job is None:
        return INTERRUPTED
    if job.state is not JobState.SUCCEEDED:
        sys.stderr.write((job.problem.sentence() if job.problem else "It was cancelled.") + "\n")
        return DIFFERENT
    found = app.verification.compare(LOCAL_PERSON, job, args.video)
    if not args.keep:
        app.gallery.delete(LOCAL_PERSON, job.id)
    _report(found)
    return 0 if found.verdict == "equal" else DIFFERENT


def _report(found: Comparison) -> None:
    sentence = SENTENCES[found.verdict].format(
        frames=found.frames, others=found.others,
        worst="" if found.psnr is None else f", {found.psnr:.1f} dB at worst",
    )  # fmt: skip
    sys.stderr.write(sentence + "\n")
    sys.stdout.write(json.dumps({**found.model_dump(), "verdict": found.verdict}) + "\n")
