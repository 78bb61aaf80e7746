"""Saved latents are kept for a while, within a limit."""

import os
import time
from pathlib import Path

from wan22_app.adapters.latents import FolderLatents


def save(latents: FolderLatents, job_id: str, size: int, age_s: float = 0.0) -> Path:
    path = latents.path(job_id)
    path.write_bytes(b"x" * size)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_the_oldest_go_first_when_there_is_too_much(tmp_path: Path) -> None:
    latents = FolderLatents(tmp_path, keep_bytes=250)
    files = [save(latents, name, 100, age) for name, age in (("a", 30), ("b", 20), ("c", 10))]
    assert latents.prune(()) == ["a.safetensors"]
    assert [path.exists() for path in files] == [False, True, True]


def test_old_ones_and_half_written_ones_go(tmp_path: Path) -> None:
    latents = FolderLatents(tmp_path, keep_seconds=100)
    save(latents, "old", 1, 200)
    young = save(latents, "young", 1)
    (tmp_path / "young.part").write_bytes(b"x")
    assert sorted(latents.prune(())) == ["old.safetensors", "young.part"]
    assert young.exists()


def test_what_runs_is_spared(tmp_path: Path) -> None:
    latents = FolderLatents(tmp_path, keep_seconds=100)
    old = save(latents, "old", 1, 200)
    assert latents.prune(("old",)) == []
    assert old.exists()


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    latents = FolderLatents(tmp_path)
    save(latents, "a", 1)
    (tmp_path / "a.part").write_bytes(b"x")
    latents.forget("a")
    latents.forget("a")
    assert list(tmp_path.iterdir()) == []


def test_a_drafts_preview_is_there_as_long_as_its_latents(tmp_path: Path) -> None:
    part = tmp_path / "preview.part"
    part.write_bytes(b"webp")
    (folder := tmp_path / "latents").mkdir()
    latents = FolderLatents(folder, keep_seconds=100)
    assert latents.preview("a") is None
    latents.keep_preview("a", str(part))
    assert latents.preview("a") is None, "nothing to go on with"
    path = save(latents, "a", 1)
    found = latents.preview("a")
    assert found is not None
    assert found.path.read_bytes() == b"webp"
    assert latents.prune(()) == []
    path.unlink()
    assert latents.prune(()) == ["a.webp"]
    latents.keep_preview("a", str(part))
    latents.forget("a")
    assert list(folder.iterdir()) == []
