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
