"""Whatever has changed in a backup is found before anything is touched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backup.conftest import NewPlace
from wan22_app.domain.errors import UserError


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, remove])
def test_damage_in_any_file_is_named_and_changes_nothing(
    place: NewPlace, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    here = place("here").open()
    here.finish(here.submit("mine"))
    here.close()
    before = here.files()
    files = {path.relative_to(backup).parts[0]: path for path in backup.rglob("*.*")}
    assert files.keys() == {
        *("manifest.json", "manifest.sha256", "config.json", "wan22.sqlite"),
        *("outputs", "uploads", "loras"),
    }
    # A video and its poster are two kinds in one folder.
    (video,), (poster,) = ([*backup.glob(f"outputs/*.{end}")][:1] for end in ("mp4", "webp"))
    for path in {*files.values(), video, poster}:
        sound = path.read_bytes()
        damage(path)
        with pytest.raises(UserError) as refusal:
            here.restore(backup, replace=True)
        problem = refusal.value.problem
        assert problem.code in ("backup_damaged", "backup_none"), path
        assert path.name in f"{problem.what} {problem.cause}" or path.name == "manifest.sha256"
        assert here.files() == before, path
        path.write_bytes(sound)
    here.restore(backup, replace=True)
    assert here.open().check() == 3


def test_names_that_lead_out_of_the_folder_are_refused(place: NewPlace, tmp_path: Path) -> None:
    from tests.backup.test_round_trip import reseal

    backup = place("old").open().fill().back_up(tmp_path / "backup")
    (tmp_path / "stranger.safetensors").write_bytes(b"lora")
    here = place("here")
    table = (backup / "manifest.json").read_text(encoding="utf-8")
    for name in ("loras/../../stranger.safetensors", "/etc/passwd", "outputs/../x.mp4"):
        reseal(backup, table.replace("loras/Größe 漢.safetensors", name))
        with pytest.raises(UserError) as refusal:
            here.restore(backup)
        assert refusal.value.problem.code == "backup_damaged"
    assert here.files() == {}


def test_another_format_and_no_backup_at_all_are_refused(place: NewPlace, tmp_path: Path) -> None:
    from tests.backup.test_round_trip import reseal

    backup = place("old").open().fill().back_up(tmp_path / "backup")
    table = (backup / "manifest.json").read_text(encoding="utf-8")
    reseal(backup, table.replace('"format": 1', '"format": 2'))
    here = place("here")
    with pytest.raises(UserError) as refusal:
        here.restore(backup)
    assert refusal.value.problem.code == "backup_newer"
    with pytest.raises(UserError) as refusal:
        here.restore(tmp_path)
    assert refusal.value.problem.code == "backup_none"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights bind no root, and not Windows"
)
def test_a_folder_that_takes_nothing_is_said(place: NewPlace, tmp_path: Path) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    here = place("here")
    here.settings.outputs.chmod(0o500)
    with pytest.raises(UserError) as refusal:
        here.restore(backup)
    here.settings.outputs.chmod(0o700)
    assert refusal.value.problem.cure
    assert here.files() == {}


def test_too_little_room_is_said_with_the_amount(place: NewPlace, tmp_path: Path) -> None:
    """Asked for more than any disk has."""
    from wan22_app.adapters.arrivals import FolderArrivals
    from wan22_app.adapters.backups import FolderShelf
    from wan22_app.bootstrap import places
    from wan22_app.domain.backup import Manifest

    old = place("old").open().fill()
    reserve = 2 * shutil.disk_usage(tmp_path).total
    shelf = FolderShelf(places(old.settings), (), reserve)
    with pytest.raises(UserError) as refusal, shelf.begin(tmp_path / "no", 10):
        raise AssertionError("there was room")
    assert refusal.value.problem.code == "backup_no_room"
    assert not [*tmp_path.glob("no*")]
    backup = old.back_up(tmp_path / "backup")
    manifest = Manifest.model_validate_json((backup / "manifest.json").read_bytes())
    with pytest.raises(UserError) as refusal:
        FolderArrivals(places(place("here").settings), reserve).require_room(manifest)
    assert "GB are needed" in refusal.value.problem.what
