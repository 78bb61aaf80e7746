"""The outputs folder: part files become videos by rename, and only then have a row."""

import hashlib
import re
import shutil
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path

import av
from pydantic import ValidationError

from wan22_app.adapters.durable import sync_file, sync_folder
from wan22_app.domain.errors import Problem, UserError
from wan22_app.domain.output import RECIPE_KEY, Recipe
from wan22_app.ports import Preview, Published, VideoFacts

RESERVE_BYTES = 1024**3
OURS = re.compile(r"^[0-9a-f]{32}(\.\d+)?\.(mp4|webp|preview|next)(\.part)?$")
"""Names that this app gives; a sweep touches nothing else."""
PROBE = ".probe-"


class FolderOutputFiles:
    """OutputFiles in a folder on a local disk."""

    def __init__(self, outputs: Path, staging: Path, reserve_bytes: int = RESERVE_BYTES):
        self._outputs = outputs
        self._staging = staging
        self._reserve = reserve_bytes

    @property
    def staging(self) -> Path:
        return self._staging

    def check_writable(self) -> None:
        probe = self._staging / f"{PROBE}{uuid.uuid4().hex}"
        try:
            try:
                probe.write_bytes(b"x")
            finally:
                # Also after a refusal: a full disk is looked at each second, all night long.
                probe.unlink(missing_ok=True)
            free = shutil.disk_usage(self._outputs).free
        except OSError as error:
            raise UserError(_unwritable(self._outputs, error)) from error
        if free < self._reserve:
            raise UserError(_full(self._outputs, free, self._reserve))

    def publish(self, job_id: str, video: str, poster: str) -> Published:
        parts = {".mp4": self._inside(video), ".webp": self._inside(poster)}
        finals = {suffix: self._outputs / f"{job_id}{suffix}" for suffix in parts}
        for suffix, part in parts.items():
            # A crash between the two renames left one of them done: go on with the other.
            if not part.exists() and finals[suffix].exists():
                continue
            if suffix == ".mp4":
                check_plays(part)
            sync_file(part)
            # Rename after fsync: a power cut must not leave a listed but empty file.
            part.replace(finals[suffix])
        sync_folder(self._outputs)
        self.discard(job_id)  # its preview, before anybody is told that the job has ended
        final = finals[".mp4"]
        return Published(
            video=final.name,
            poster=finals[".webp"].name,
            bytes=final.stat().st_size,
            sha256=sha256(final),
        )

    def discard(self, job_id: str) -> None:
        # One pattern for all jobs: Python keeps the last few hundred, a kilobyte or more for each.
        for path in self._staging.glob("*.part"):
            if path.name.startswith(f"{job_id}."):
                path.unlink(missing_ok=True)

    def preview(self, job_id: str, epoch: int) -> Preview | None:
        path = self._staging / f"{job_id}.{epoch}.preview.part"
        try:
            return Preview(path, path.stat().st_mtime_ns)
        except OSError:
            return None

    def find(self, name: str) -> Path | None:
        path = self._outputs / name
        return path if OURS.match(name) and path.is_file() else None

    def remove(self, names: Collection[str]) -> bool:
        held = False
        for name in filter(OURS.match, names):
            try:
                (self._outputs / name).unlink(missing_ok=True)
            except OSError:
                # Windows keeps a file that somebody is playing: the next round tries again.
                held = True
        return not held

    def sweep(self, known: Collection[str], live: Collection[str]) -> Sequence[str]:
        strays = [
            path
            for path in self._outputs.iterdir()
            if path.is_file() and OURS.match(path.name) and path.name not in known
        ]
        strays += [
            path
            for path in self._staging.iterdir()
            if OURS.match(path.name) and path.name.split(".")[0] not in live
        ]
        strays += self._staging.glob(f"{PROBE}*")
        for path in strays:
            path.unlink(missing_ok=True)
        return [path.name for path in strays]

    def _inside(self, name: str) -> Path:
        """The part file, which must lie in staging whatever the engine said."""
        path = Path(name).resolve()
        if path.parent != self._staging.resolve():
            raise UserError(
                Problem(code="stray_part", what="The engine wrote outside its folder.",
                        evidence=name)
            )  # fmt: skip
        return path


def check_plays(path: Path) -> None:
    """Decode to the end; raises UserError for a file that no browser would play."""
    try:
        with av.open(str(path), format="mp4") as container:
            count = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise UserError(_broken(path, str(error))) from error
    if count == 0:
        raise UserError(_broken(path, "no frames"))


def probe(path: Path) -> VideoFacts:
    """Facts about a video; raises av.FFmpegError when it cannot be read."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return VideoFacts(
            codec=context.name,
            profile=context.profile or "",
            pixel_format=context.pix_fmt or "",
            width=stream.width,
            height=stream.height,
            frames=stream.frames,
            fps=float(stream.average_rate or 0),
            seconds=(container.duration or 0) / av.time_base,
            metadata=dict(container.metadata),
        )


def read_recipe(path: Path) -> Recipe | None:
    """The recipe inside an mp4, None when there is none that this app understands."""
    try:
        return Recipe.model_validate_json(probe(path).metadata[RECIPE_KEY])
    except (KeyError, ValidationError, av.FFmpegError, OSError, IndexError):
        return None


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unwritable(folder: Path, error: OSError) -> Problem:
    return Problem(
        code="outputs_unwritable",
        what=f"Videos cannot be written to {folder}.",
        cause=f"{error.strerror or error}.",
        cure="Correct the folder's rights, or choose another one by WAN22_OUTPUTS.",
        evidence=str(error),
    )


def _full(folder: Path, free: int, reserve: int) -> Problem:
    return Problem(
        code="disk_full",
        what=f"The disk of {folder} is nearly full.",
        cause=f"{free / 1e9:.1f} GB are free; {reserve / 1e9:.1f} GB are kept in reserve.",
        cure="Make room; the queue goes on by itself.",
    )


def _broken(path: Path, why: str) -> Problem:
    return Problem(
        code="video_broken",
        what="The finished video cannot be played.",
        cause="It was cut short while it was written, or the disk is faulty.",
        cure="Try again.",
        evidence=f"{path.name}: {why}",
    )
