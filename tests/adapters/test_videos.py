"""Recipes and frames out of real video files; what strangers bring goes through a process."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.values import PLAN, a_request
from wan22_app.adapters import videos as adapter
from wan22_app.adapters.videos import PyavVideos
from wan22_app.domain.errors import InvalidRequest, UserError
from wan22_app.domain.output import RECIPE_KEY, Recipe

FPS = 8
COUNT = 12
RECIPE = Recipe(
    demo=True, request=a_request(prompt="ein Käfer 🐞"), plan=PLAN.placement, revision="abc",
    latents_sha256="1" * 64, versions={"wan22_app": "0"}, device="cpu",
)  # fmt: skip

ENDLESS = RECIPE.model_dump_json().replace(
    f'"frames":{RECIPE.request.frames}', f'"frames":{10**400}'
)


def written(path: Path, metadata: dict[str, str], flags: str = "+faststart") -> Path:
    """Frames that get brighter, with a key frame only at the start."""
    options = {"movflags": f"{flags}+use_metadata_tags"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "1", "bf": "2"}
        for n in range(COUNT):
            picture = np.full((64, 64, 3), n * 20, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def videos(tmp_path: Path) -> PyavVideos:
    (tmp_path / "scratch").mkdir()
    return PyavVideos(tmp_path / "scratch")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return written(tmp_path / "a.mp4", {RECIPE_KEY: RECIPE.model_dump_json()})


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        (size,), kind = struct.unpack(">I", data[:4]), data[4:8]
        yield kind, data[:size]
        data = data[size:]


def headers(path: Path) -> bytes:
    """What the page sends: the boxes without the pictures."""
    found = dict(boxes(path.read_bytes()))
    return found[b"ftyp"] + found[b"moov"]


@pytest.mark.parametrize(
    ("seconds", "frame"),
    [
        (0.0, 0), (-1.0, 0), (0.124, 0), (0.125, 1), (0.2, 1), (0.7, 5), (0.750001, 6),
        (1.375, 11), (1.5, 11), (1e9, 11),
    ],
)  # fmt: skip
def test_the_frame_is_the_one_that_a_player_shows(
    videos: PyavVideos, video: Path, seconds: float, frame: int
) -> None:
    with Image.open(io.BytesIO(videos.frame(video, seconds))) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 64))
        assert abs(picture.getpixel((32, 32))[0] - frame * 20) <= 3  # type: ignore[index]


def test_a_frame_of_a_broken_or_missing_file_is_a_clear_error(
    videos: PyavVideos, tmp_path: Path
) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no video")
    for name in ("no.mp4", "absent.mp4"):
        with pytest.raises(UserError) as refusal:
            videos.frame(tmp_path / name, 0.0)
        assert refusal.value.problem.code == "video_unreadable"


def test_a_recipe_is_found_in_the_whole_file_and_in_its_headers(
    videos: PyavVideos, video: Path, tmp_path: Path
) -> None:
    assert videos.recipe(video) == RECIPE
    assert videos.brought(video.read_bytes()) == RECIPE
    assert videos.brought(headers(video)) == RECIPE
    late = written(tmp_path / "late.mp4", {RECIPE_KEY: RECIPE.model_dump_json()}, "")
    assert late.read_bytes().index(b"moov") > late.read_bytes().index(b"mdat")
    assert videos.brought(headers(late)) == RECIPE
    assert list((tmp_path / "scratch").iterdir()) == [], "nothing is left behind"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "video_empty"),
        (b"hello, I am no video", "video_not_an_mp4"),
        (b"\x1aE\xdf\xa3" + bytes(100), "video_not_an_mp4"),
        (b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00", "video_damaged"),
        (b"\x00\x00\x00\x10ftypisom" + b"\xff" * 4000, "video_damaged"),
    ],
)
def test_what_is_no_video_is_said_so(
    videos: PyavVideos, tmp_path: Path, data: bytes, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        videos.brought(data)
    assert refusal.value.problem.code == code
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"title": "holiday"}, "video_no_recipe"),
        ({RECIPE_KEY: "not json"}, "video_foreign"),
        ({RECIPE_KEY: '{"format": 99}'}, "video_foreign"),
        ({RECIPE_KEY: "[" * 1000}, "video_foreign"),
        ({RECIPE_KEY: "x" * 300_000}, "video_foreign"),
        ({RECIPE_KEY: ENDLESS}, "video_foreign"),
    ],
)
def test_a_foreign_recipe_is_told_from_none(
    videos: PyavVideos, tmp_path: Path, metadata: dict[str, str], code: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        videos.brought(written(tmp_path / "b.mp4", metadata).read_bytes())
    assert refusal.value.problem.code == code


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_cut_header_is_damaged(videos: PyavVideos, video: Path, share: float) -> None:
    data = headers(video)
    with pytest.raises(InvalidRequest) as refusal:
        videos.brought(data[: int(len(data) * share)])
    assert refusal.value.problem.code == "video_damaged"


def test_too_much_is_refused_unread(videos: PyavVideos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_BYTES", 10)
    with pytest.raises(InvalidRequest) as refusal:
        videos.brought(bytes(11))
    assert refusal.value.problem.code == "video_too_big"


def test_a_video_is_kept_for_others_to_go_on_from(
    videos: PyavVideos, video: Path, tmp_path: Path
) -> None:
    content = video.read_bytes()
    ref = videos.keep(video, "a" * 64)
    assert (ref.frames, ref.width, ref.fps, ref.still) == (COUNT, 64, FPS, "a" * 64)
    video.unlink()
    copy = videos.kept(ref)
    assert copy.read_bytes() == content, "whatever becomes of the video"
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [f"{ref.sha256}.mp4"]
    copy.unlink()
    with pytest.raises(InvalidRequest):
        videos.kept(ref)
    (broken := tmp_path / "b.mp4").write_bytes(b"x")
    with pytest.raises(UserError):
        videos.keep(broken, "a" * 64)


def test_what_tells_no_frames_is_not_kept(videos: PyavVideos, video: Path, tmp_path: Path) -> None:
    other = tmp_path / "a.mkv"
    with av.open(str(video)) as old, av.open(str(other), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    with pytest.raises(UserError):
        videos.keep(other, "a" * 64)
    assert list((tmp_path / "scratch").iterdir()) == []
