"""``tests.scripted_engine`` with nothing to import: it is started thousands of times.

``quick_engine.py LOCK SAMPLES``: writes what the real engine writes, in the same order, and copies
the video and the poster from the samples' folder.
"""

import fcntl
import json
import os
import sys
from pathlib import Path

STEPS = 3
LOCK_TAKEN = 3
PNG_END = b"IEND\xaeB`\x82"


def main(lock: str, samples: Path) -> int:
    held = os.open(lock, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return LOCK_TAKEN
    say(type="ready", pid=os.getpid(), device="cpu", versions={})
    for line in sys.stdin:
        command = json.loads(line)
        if command["type"] == "exit":
            break
        if command["type"] == "run":
            make(command["work"], samples)
    return 0


def make(work: dict[str, str], samples: Path) -> None:
    job = work["job_id"]
    if work["image"] and not Path(work["image"]).read_bytes().endswith(PNG_END):
        problem = {"code": "bad_image", "what": "The start image is cut short."}
        say(type="failed", job_id=job, kind="request", problem=problem)
        return
    for done in range(STEPS + 1):
        advanced(job, "denoising", done)
    keep(Path(work["latents"]))
    advanced(job, "encoding", 0)
    parts = {}
    for suffix in ("webp", "mp4"):
        parts[suffix] = f"{work['staging']}/{job}.{work['epoch']}.{suffix}.part"
        content = (samples / f"sample.1.{suffix}.part").read_bytes()
        with Path(parts[suffix]).open("wb", buffering=0) as file:
            file.write(content[:1000])
            file.write(content[1000:])
    say(
        type="done", job_id=job, video=parts["mp4"], poster=parts["webp"], width=32, height=32,
        frames=4, fps=8, latents_sha256="0" * 64, seconds={"denoising": 0.1},
    )  # fmt: skip


def keep(latents: Path) -> None:
    part = latents.with_suffix(".part")
    with part.open("wb", buffering=0) as file:
        file.write(b"what was computed so far")
        os.fsync(file.fileno())
    part.replace(latents)


def advanced(job: str, stage: str, done: int) -> None:
    say(type="advanced", job_id=job, stage=stage, done=done, total=STEPS, seconds=0.0)


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
