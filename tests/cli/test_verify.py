"""``wan22 verify`` on a good, a remuxed and two tampered videos."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from wan22_app.adapters.files import read_recipe
from wan22_app.domain.output import RECIPE_KEY, Recipe

pytestmark = pytest.mark.slow

Wan22 = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--width", 64, "--height", 64, "--frames", 5, "--steps", 2, "--seed", 7)
KEEPS = {"movflags": "use_metadata_tags"}


@pytest.fixture
def video(wan22: Wan22, tmp_path: Path) -> Path:
    """A video as the app makes it, and its recipe is whole."""
    out = tmp_path / "ball.mp4"
    done = wan22("generate", "--model", "demo-t2v", "--prompt", "a red ball", *SMALL, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def recipe_of(path: Path) -> Recipe:
    recipe = read_recipe(path)
    assert recipe is not None
    return recipe


def remuxed(source: Path, target: Path, recipe: Recipe) -> Path:
    """The same packets in another file, with this recipe."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=KEEPS) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        new.metadata[RECIPE_KEY] = recipe.model_dump_json()
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


def repainted(source: Path, target: Path) -> Path:
    """The same recipe over pictures of which one was changed a little in one corner."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=KEEPS) as new:
        stream = new.add_stream("libx264", rate=8, options={"crf": "0"})
        stream.width = stream.height = 64
        new.metadata[RECIPE_KEY] = recipe_of(source).model_dump_json()
        for number, frame in enumerate(old.decode(video=0)):
            picture = frame.to_ndarray(format="rgb24")
            if number == 1:
                picture[:16, :16] = np.uint8(255) - picture[:16, :16]
            new.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        new.mux(stream.encode())
    return target


def judged(wan22: Wan22, path: Path) -> tuple[int, dict[str, object]]:
    done = wan22("verify", path)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_a_video_is_what_its_recipe_says_and_so_is_a_remuxed_one(
    wan22: Wan22, video: Path, tmp_path: Path
) -> None:
    copy = remuxed(video, tmp_path / "copy.mp4", recipe_of(video))
    assert copy.read_bytes() != video.read_bytes()
    for file in (video, copy):
        code, found = judged(wan22, file)
        assert (code, found["verdict"], found["frames"]) == (0, "equal", 5)
    # Only the first is in the gallery: what was made to compare has gone to the bin.
    assert len(list((tmp_path / "outputs").glob("*.mp4"))) >= 1


def test_a_video_that_went_on_is_made_again_from_the_kept_one(
    wan22: Wan22, video: Path, tmp_path: Path
) -> None:
    longer = tmp_path / "longer.mp4"
    done = wan22(
        "generate", "--model", "demo-i2v", "--prompt", "it turns back", "--continue", video,
        "--frames", 9, "--steps", 2, "--out", longer,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    recipe = recipe_of(longer)
    assert recipe.request.continues is not None
    assert (recipe.request.continues.tail, recipe.request.continues.frames) == (5, 5)
    video.unlink()
    code, found = judged(wan22, longer)
    assert (code, found["verdict"], found["frames"]) == (0, "equal", 5 + 9 - 5)
    (kept,) = (tmp_path / "data" / "uploads").glob("*.mp4")
    kept.unlink()
    done = wan22("verify", longer)
    assert done.returncode != 0
    assert "goes on from is not here any more" in done.stderr


@pytest.mark.slow
def test_other_pictures_and_another_recipe_are_found_out(
    wan22: Wan22, video: Path, tmp_path: Path
) -> None:
    painted = repainted(video, tmp_path / "painted.mp4")
    recipe = recipe_of(video)
    claimed = recipe.model_copy(update={"request": recipe.request.model_copy(update={"seed": 8})})
    lying = remuxed(video, tmp_path / "lying.mp4", claimed)
    for file in (painted, lying):
        code, found = judged(wan22, file)
        assert (code, found["verdict"]) == (1, "different")
        assert found["psnr"] is not None


def test_what_differs_here_is_said_before(wan22: Wan22, video: Path, tmp_path: Path) -> None:
    recipe = recipe_of(video)
    elsewhere = recipe.model_copy(
        update={"device": "NVIDIA RTX 4090", "revision": "other", "versions": {"torch": "1.0"}}
    )
    done = wan22("verify", remuxed(video, tmp_path / "elsewhere.mp4", elsewhere))
    for words in ("NVIDIA RTX 4090", "torch 1.0", "weights of Demo T2V are others"):
        assert words in done.stderr
    assert done.returncode == 0, "it is the same machine after all"


@pytest.mark.parametrize("kind", ["none", "text", "plain"])
def test_a_file_without_a_recipe_is_refused(wan22: Wan22, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "video.mp4"
    if kind == "text":
        path.write_text("no video")
    elif kind == "plain":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=8)
            stream.width = stream.height = 64
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
            container.mux(stream.encode())
    done = wan22("verify", path)
    assert done.returncode == 2
    assert "no recipe" in done.stderr
