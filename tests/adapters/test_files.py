"""The outputs folder: publish, sweep, refuse."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from wan22_app.adapters.files import FolderOutputFiles, read_recipe
from wan22_app.domain.errors import UserError

JOB = "a" * 32
OTHER = "b" * 32


@pytest.fixture
def files(tmp_path: Path) -> FolderOutputFiles:
    (tmp_path / "out" / ".staging").mkdir(parents=True)
    return FolderOutputFiles(tmp_path / "out", tmp_path / "out" / ".staging", reserve_bytes=0)


def parts(files: FolderOutputFiles, job: str = JOB) -> tuple[str, str]:
    """A real video and a poster, as an engine leaves them."""
    video, poster = files.staging / f"{job}.1.mp4.part", files.staging / f"{job}.1.webp.part"
    with av.open(str(video), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = np.zeros((32, 32, 3), dtype=np.uint8)
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    poster.write_bytes(b"poster")
    return str(video), str(poster)


def test_publishing_moves_both_and_can_be_repeated(
    files: FolderOutputFiles, tmp_path: Path
) -> None:
    video, poster = parts(files)
    first = files.publish(JOB, video, poster)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        ".staging", f"{JOB}.mp4", f"{JOB}.webp",
    }  # fmt: skip
    assert files.publish(JOB, video, poster) == first, "a crash may come after the renames"


def test_a_crash_between_the_renames_is_mended(files: FolderOutputFiles, tmp_path: Path) -> None:
    video, poster = parts(files)
    Path(video).replace(tmp_path / "out" / f"{JOB}.mp4")
    assert files.publish(JOB, video, poster).poster == f"{JOB}.webp"


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_video_that_does_not_play_is_refused(
    files: FolderOutputFiles, tmp_path: Path, damage: str
) -> None:
    video, poster = parts(files)
    data = Path(video).read_bytes()
    Path(video).write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"no"}[damage])
    with pytest.raises(UserError) as refusal:
        files.publish(JOB, video, poster)
    assert refusal.value.problem.code == "video_broken"
    assert not (tmp_path / "out" / f"{JOB}.mp4").exists()


def test_a_part_from_elsewhere_is_refused(files: FolderOutputFiles, tmp_path: Path) -> None:
    video, poster = parts(files)
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(Path(video).read_bytes())
    with pytest.raises(UserError):
        files.publish(JOB, str(outside), poster)
    assert outside.exists()


def test_the_sweep_takes_orphans_and_nothing_else(files: FolderOutputFiles, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in (f"{JOB}.mp4", f"{OTHER}.mp4", "holiday.mp4", "notes.txt"):
        (out / name).write_bytes(b"x")
    for job in (JOB, OTHER):
        for kind in ("mp4", "preview", "next"):
            (files.staging / f"{job}.1.{kind}.part").write_bytes(b"x")
    (files.staging / ".probe-of-a-killed-process").write_bytes(b"")
    swept = files.sweep(known={f"{JOB}.mp4"}, live={JOB})
    assert sorted(swept) == [
        ".probe-of-a-killed-process",
        *(f"{OTHER}.1.{kind}.part" for kind in ("mp4", "next", "preview")),
        f"{OTHER}.mp4",
    ]
    assert (out / "holiday.mp4").exists()
    assert (files.staging / f"{JOB}.1.mp4.part").exists()


def test_a_preview_is_there_for_its_run_and_goes_with_it(files: FolderOutputFiles) -> None:
    path = files.staging / f"{JOB}.2.preview.part"
    path.write_bytes(b"x")
    found = files.preview(JOB, 2)
    assert found is not None and found.path == path
    os.utime(path, ns=(0, 1))
    newer = files.preview(JOB, 2)
    assert newer is not None and newer.version != found.version
    assert files.preview(JOB, 1) is None, "an earlier run's is not this one's"
    files.discard(JOB)
    assert files.preview(JOB, 2) is None
    assert not path.exists()


def test_no_room_and_no_rights_are_told_apart(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".staging").mkdir(parents=True)
    with pytest.raises(UserError) as full:
        FolderOutputFiles(out, out / ".staging", reserve_bytes=10**18).check_writable()
    assert full.value.problem.code == "disk_full"
    with pytest.raises(UserError) as gone:
        FolderOutputFiles(tmp_path / "no", tmp_path / "no" / ".staging").check_writable()
    assert gone.value.problem.code == "outputs_unwritable"


def test_a_video_without_a_recipe_has_none(files: FolderOutputFiles) -> None:
    video, _ = parts(files)
    assert read_recipe(Path(video)) is None
    assert read_recipe(Path(video).with_name("absent.mp4")) is None
