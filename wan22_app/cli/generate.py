"""``wan22 generate``: one video through the same submission, queue and engine as the page."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, get_args

from wan22_app.adapters.images import KINDS
from wan22_app.adapters.system import SystemSecrets
from wan22_app.bootstrap import Services, prepare, services
from wan22_app.cli.waiting import wait
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import (
    Attention,
    Compilation,
    ModelSpec,
    Quantization,
    TextQuantization,
)
from wan22_app.domain.continuation import VideoRef, usual_tail
from wan22_app.domain.errors import InvalidRequest, Problem
from wan22_app.domain.job import Job, JobState
from wan22_app.domain.picture import BACKGROUNDS

FAILED = 1
INTERRUPTED = 130

NUMBERS = (
    ("width", "pixels"),
    ("height", "pixels"),
    ("frames", "length in frames"),
    ("fps", "frames per second"),
    ("steps", "denoising steps"),
    ("guidance", "guidance of the high-noise (or only) expert"),
    ("guidance-low", "guidance of the low-noise expert"),
    ("shift", "sampler shift"),
    ("step-cache", "skip steps whose prediction changes by less than this share; 0 is off; lossy"),
    ("seed", "random when left out"),
    ("tile", "VAE tile size in pixels, or auto"),
    ("chunk", "tokens that the transformer works on at a time, or auto"),
)
"""Options that are validated with the request, so that page and command line say the same."""
CHOSEN = ("model", "prompt", "negative-prompt", "sampler", "precision", "vae-precision",
          "quantization", "text-quantization", "attention", "compilation", "offload",
          "keep", "may-reduce")  # fmt: skip
"""Options of other kinds that are fields of the request, too."""


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("generate", help="make one video")
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--negative-prompt")
    parser.add_argument("--image", type=Path, help=f"start image: {KINDS}")
    parser.add_argument("--last-image", type=Path, help="how the video ends (I2V models)")
    parser.add_argument(
        "--continue", dest="video", type=Path, metavar="FILE",
        help="go on from an mp4, which comes first; gives size and rate",
    )  # fmt: skip
    parser.add_argument(
        "--background", choices=BACKGROUNDS, default="black", help="behind what is transparent"
    )
    for axis, ends in (("x", "left"), ("y", "top")):
        parser.add_argument(
            f"--focus-{axis}", type=share, default=0.5, metavar="0..1",
            help=f"part of the image to keep: 0 is {ends}",
        )  # fmt: skip
    for name, help_text in NUMBERS:
        parser.add_argument(f"--{name}", help=help_text)
    parser.add_argument("--sampler", choices=("unipc", "euler"), help="euler is for 4-step models")
    parser.add_argument("--precision", choices=("bf16", "fp16", "fp32"))
    parser.add_argument("--vae-precision", choices=("fp32", "bf16"), help="of the decoder")
    parser.add_argument("--quantization", choices=get_args(Quantization), help="lossy")
    parser.add_argument(
        "--text-quantization", choices=get_args(TextQuantization), help="of the text encoder"
    )
    parser.add_argument("--attention", choices=get_args(Attention), help="sage is lossy")
    parser.add_argument("--compilation", choices=get_args(Compilation), help="of small operations")
    parser.add_argument("--offload", choices=("auto", "none", "model", "block"))
    parser.add_argument("--keep", choices=("auto", "all", "one"), help="parts kept in memory")
    parser.add_argument(
        "--may-reduce",
        action="store_const",
        const=True,
        help="if memory runs out, also try lower precision, int8, smaller, shorter",
    )
    parser.add_argument(
        "--lora", action="append", default=[], metavar="NAME[:STRENGTH[:partly]]",
        help="file inside the LoRA folder, for a pair either half; -4 to 4; may be given again",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="where to put the mp4")
    parser.set_defaults(command=generate)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError("use a number from 0 to 1")
    return value


def generate(args: argparse.Namespace) -> int:
    """Queue, wait, copy; one JSON line at the end. Ctrl-C cancels the job."""
    _require_writable(args.out)
    app = services()
    prepare(app.settings)
    fields = _fields(args, app)
    job = wait(app, app.submission.submit(LOCAL_PERSON, fields, SystemSecrets().new_id()))
    return INTERRUPTED if job is None else _report(app, job, args.out)


def _fields(args: argparse.Namespace, app: Services) -> dict[str, object]:
    names = [*CHOSEN, *(name for name, _ in NUMBERS)]
    keys = [name.replace("-", "_") for name in names]
    fields: dict[str, object] = {key: getattr(args, key) for key in keys}
    fields["loras"] = "\n".join(args.lora)
    if args.last_image is not None:
        fields["last_image"] = app.images.accept(_read_image(args.last_image), args.background)
    if args.video is not None:
        spec = app.library.entry(args.model).spec
        fields |= _continued(app.recipes.kept(args.video), spec)
    if args.image is not None:
        image = app.images.accept(_read_image(args.image), args.background)
        focus = {"focus_x": args.focus_x, "focus_y": args.focus_y}
        fields["image"] = {**image.model_dump(), **focus}
    return fields


def _continued(video: VideoRef, spec: ModelSpec) -> dict[str, object]:
    """What a video that a new one goes on from means for its request."""
    tail = usual_tail(spec, video.frames)
    return {
        "continues": video.model_copy(update={"tail": tail}),
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
    }


def _read_image(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            Problem(
                code="image_unreadable",
                what=f"The image {path} cannot be read.",
                cause=f"{error.strerror}." if error.strerror else "",
                cure="Check the path.",
                field="image",
            )
        ) from error


def _require_writable(out: Path) -> None:
    """Refuse before an hour of work, not after it."""
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise InvalidRequest(
            Problem(
                code="out_unwritable",
                what=f"The video cannot be written to {out}.",
                cure="Name a file in an existing folder that you may write to.",
                field="out",
            )
        )


def _report(app: Services, job: Job, out: Path) -> int:
    line: dict[str, object] = {"job": job.id, "state": job.state, "seed": job.request.seed}
    if job.state is JobState.SUCCEEDED:
        output = app.gallery.get(LOCAL_PERSON, job.id)
        _copy(app.gallery.path(LOCAL_PERSON, job.id, "video"), out)
        line |= {"output": str(out), "seconds": output.seconds}
    elif job.problem is not None:
        line["problem"] = job.problem.model_dump()
        sys.stderr.write(job.problem.sentence() + "\n")
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0 if job.state is JobState.SUCCEEDED else FAILED


def _copy(source: Path, out: Path) -> None:
    """Copy beside the target and rename: a broken copy must not look like a video."""
    part = out.with_name(out.name + ".part")
    shutil.copyfile(source, part)
    part.replace(out)
