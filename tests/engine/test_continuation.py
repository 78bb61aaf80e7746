"""A video that goes on from another one: what is given, what is kept, and how they are joined."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.engine.conftest import Generate, Outcome
from wan22_app.adapters.files import check_plays
from wan22_app.adapters.videos import PyavVideos, pictures
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.events import Cancelled, Done, Stage
from wan22_app.engine import tasks
from wan22_app.engine.footage import footage, last_frames

pytestmark = pytest.mark.slow

MODELS = ("demo-i2v", "demo-ti2v")
STILL = "e" * 64


@pytest.fixture
def before(generate: Generate, tmp_path: Path) -> tuple[VideoRef, Path]:
    """A finished video of 17 frames, kept."""
    done = generate("demo-t2v", frames=17, steps=2, width=64, height=48).done
    (uploads := tmp_path / "uploads").mkdir()
    videos = PyavVideos(uploads)
    ref = videos.keep(Path(done.video), STILL)
    assert (ref.frames, ref.width, ref.height, ref.fps) == (17, 64, 48, 8)
    return ref, videos.kept(ref)


Going = Callable[..., Outcome]


@pytest.fixture
def go_on(generate: Generate, before: tuple[VideoRef, Path]) -> Going:
    """Go on from the video with so many of its frames given."""

    def run(key: str, tail: int, *arguments: Any, **options: object) -> Outcome:
        ref, path = before
        return generate(
            key, *arguments, continues=ref.model_copy(update={"tail": tail}),
            **{"video": path, "width": 64, "height": 48, "frames": 13, **options},
        )  # fmt: skip

    return run


@pytest.mark.parametrize("tail", [1, 5, 9])
@pytest.mark.parametrize("key", MODELS)
def test_the_new_pictures_follow_the_old_ones_which_lose_nothing(
    go_on: Going, before: tuple[VideoRef, Path], key: str, tail: int
) -> None:
    done = go_on(key, tail).done
    assert done.frames == 17 + 13 - tail
    check_plays(Path(done.video))
    old, joined = list(pictures(before[1])), list(pictures(Path(done.video)))
    assert len(joined) == done.frames
    assert all(np.array_equal(a, b) for a, b in zip(old, joined, strict=False))
    with av.open(done.video) as container:
        stream = container.streams.video[0]
        times = [float(frame.time or 0.0) * 8 for frame in container.decode(stream)]
        assert times == pytest.approx(range(done.frames)), "each follows the one before"
        assert stream.frames == done.frames


@pytest.mark.parametrize("key", MODELS)
def test_one_frame_given_is_the_same_as_a_start_image(
    go_on: Going, generate: Generate, before: tuple[VideoRef, Path], tmp_path: Path, key: str
) -> None:
    start = tmp_path / "last.png"
    Image.fromarray(list(pictures(before[1]))[-1]).save(start)
    alone = generate(key, image=True, start=start, width=64, height=48, frames=13).done
    assert go_on(key, 1).done.latents_sha256 == alone.latents_sha256


@pytest.mark.parametrize("key", MODELS)
def test_each_frame_that_is_given_counts(
    go_on: Going, before: tuple[VideoRef, Path], tmp_path: Path, key: str
) -> None:
    """Another beginning, whose last frame is equal, makes other latents."""
    other = tmp_path / "turned.mp4"
    _turned(before[1], other)
    assert np.array_equal(last_frames(other, 1)[0], last_frames(before[1], 1)[0])
    hashes = [go_on(key, 5, video=path).done.latents_sha256 for path in (before[1], other)]
    assert hashes[0] != hashes[1]
    hashes = [go_on(key, 1, video=path).done.latents_sha256 for path in (before[1], other)]
    assert hashes[0] == hashes[1]


def test_ti2vs_given_latents_are_there_at_the_end(go_on: Going, tmp_path: Path) -> None:
    """Nine frames are three latent frames, which no step changes."""
    five, nine = [_latents(go_on("demo-ti2v", tail), tmp_path) for tail in (5, 9)]
    assert not torch.equal(five[:, :, 2], nine[:, :, 2]), "made, and given"
    again = _latents(go_on("demo-ti2v", 9, seed=99), tmp_path)
    assert torch.equal(nine[:, :, :3], again[:, :, :3])
    assert not torch.equal(nine[:, :, 3:], again[:, :, 3:])


@pytest.mark.parametrize("key", MODELS)
def test_a_run_that_was_stopped_goes_on_to_equal_latents(go_on: Going, key: str) -> None:
    whole = go_on(key, 5).done
    assert isinstance(go_on(key, 5, Stage.DENOISING, 2).verdict, Cancelled)
    rest = go_on(key, 5, again=True).verdict
    assert isinstance(rest, Done)
    assert rest.latents_sha256 == whole.latents_sha256


def test_a_last_image_can_be_told_as_well(go_on: Going, picture: Path) -> None:
    hashes = [go_on("demo-i2v", 5, last=last).done.latents_sha256 for last in (None, picture)]
    assert hashes[0] != hashes[1]


def test_another_encoders_video_is_encoded_anew(
    go_on: Going, before: tuple[VideoRef, Path], tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.mp4"
    encoded(list(pictures(before[1])), foreign, {"crf": "1", "refs": "2", "profile": "main"})
    assert footage(foreign).parameters != footage(before[1]).parameters
    done = go_on("demo-i2v", 5, video=foreign).done
    joined = list(pictures(Path(done.video)))
    assert len(joined) == done.frames == 25
    for old, new in zip(pictures(foreign), joined, strict=False):
        assert np.abs(old.astype(int) - new).mean() < 6


def test_a_video_goes_on_twice(
    go_on: Going, generate: Generate, before: tuple[VideoRef, Path], tmp_path: Path
) -> None:
    """Its poster stays the first picture of all."""
    first = go_on("demo-i2v", 5).done
    videos = PyavVideos(tmp_path / "uploads")
    ref = videos.keep(Path(first.video), STILL)
    second = generate(
        "demo-i2v", continues=ref.model_copy(update={"tail": 5}), video=videos.kept(ref),
        width=64, height=48, frames=13,
    ).done  # fmt: skip
    assert second.frames == 25 + 8
    old, joined = list(pictures(before[1])), list(pictures(Path(second.video)))
    assert all(np.array_equal(a, b) for a, b in zip(old, joined, strict=False))
    with Image.open(second.poster) as poster:
        shown = np.asarray(poster.convert("RGB"), int)
    assert np.abs(shown - old[0]).mean() < 6


def test_a_video_that_is_gone_is_told(go_on: Going, tmp_path: Path) -> None:
    failed = go_on("demo-i2v", 5, video=tmp_path / "none.mp4").failed
    assert (failed.kind, failed.problem.code) == ("request", "video_gone")


def _latents(outcome: Outcome, folder: Path) -> torch.Tensor:
    assert isinstance(outcome.verdict, Done)
    return load_file(folder / "latents.safetensors")["latents"]


def _turned(source: Path, target: Path) -> None:
    """All pictures but the last are upside down; lossless, so that the last is equal."""
    frames = list(pictures(source))
    turned = [np.ascontiguousarray(frame[::-1]) for frame in frames[:-1]]
    encoded([*turned, frames[-1]], target, {"crf": "0"}, "libx264rgb", "rgb24")


def encoded(
    frames: list[Any], target: Path, options: dict[str, str], codec: str = "libx264",
    pixels: str = "yuv420p",
) -> None:  # fmt: skip
    with av.open(str(target), "w") as container:
        stream: Any = container.add_stream(codec, rate=8)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pixels, options
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture.reformat(format=pixels)))
        container.mux(stream.encode())


@pytest.mark.parametrize(("first", "last"), [(1, 0), (5, 0), (9, 0), (5, 1)])
def test_a14b_is_told_which_frames_are_given(first: int, last: int) -> None:
    """Four of its channels say so for each frame of a latent frame; the first frame counts four."""
    frames, noise = 13, torch.zeros(1, 16, 4, 2, 2)
    mask = tasks._mask(noise, frames, first, last, SimpleNamespace(vae_scale_factor_temporal=4))
    assert mask.shape == (1, 4, 4, 2, 2)
    told = mask[0, :, :, 0, 0].T.flatten()[3:].tolist()
    assert told == [1.0] * first + [0.0] * (frames - first - last) + [1.0] * last
    assert mask[0, :, 0].min() == 1
