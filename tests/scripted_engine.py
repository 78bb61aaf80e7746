"""An engine without torch: the same protocol, behaviour chosen by the prompt's first word.

``slow`` steps until cancelled or killed; ``deaf`` never looks at a cancel; ``abort`` and ``exit``
die in the middle; ``noise`` prints what is no event; anything else makes a real small mp4.
"""

import os
import sys
import time
from pathlib import Path

import av
import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from wan22_app.domain.events import Advanced, Cancelled, Done, Event, Ready, Stage
from wan22_app.domain.work import Exit, Run, Work
from wan22_app.engine.channel import Channel, take_over_stdout

STEP_S = 0.02


def main(slot: str, lock: str) -> int:
    del slot
    held = FileLock(lock, fallback_to_soft=False)
    try:
        held.acquire(timeout=0)
    except Timeout:
        return 3
    channel = Channel(sys.stdin.buffer, take_over_stdout())
    channel.start()
    channel.say(Ready(pid=os.getpid(), device="cpu", versions={}))
    while True:
        command = channel.inbox.get()
        if isinstance(command, Exit):
            return 0
        if isinstance(command, Run):
            channel.say(verdict(channel, command.work))


def verdict(channel: Channel, work: Work) -> Event:
    kind = work.request.prompt.split()[0]
    cancelled = channel.flag(work.job_id)
    total = 10_000 if kind in ("slow", "deaf") else 3
    for done in range(total):
        channel.say(
            Advanced(job_id=work.job_id, stage=Stage.DENOISING, done=done, total=total, seconds=0.0)
        )
        if done == 1 and kind == "abort":
            os.abort()
        if done == 1 and kind == "exit":
            sys.stderr.write("last words of a dying engine\n")
            sys.stderr.flush()
            os._exit(17)
        if done == 1 and kind == "noise":
            sys.stdout.write("this library prints\n")
        if cancelled.is_set() and kind != "deaf":
            return Cancelled(job_id=work.job_id)
        time.sleep(STEP_S)
    return made(work)


def made(work: Work) -> Done:
    stem = Path(work.staging) / f"{work.job_id}.{work.epoch}"
    video, poster = f"{stem}.mp4.part", f"{stem}.webp.part"
    with av.open(video, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for shade in range(4):
            picture = np.full((32, 32, 3), shade * 60, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    Image.new("RGB", (32, 32)).save(poster, "WEBP")
    return Done(
        job_id=work.job_id, video=video, poster=poster, width=32, height=32, frames=4, fps=8,
        latents_sha256="0" * 64, seconds={"denoising": 0.1},
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
