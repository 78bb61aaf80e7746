"""What is backed up comes back, and what stands in the way is kept or said."""

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.backup.conftest import IMAGE, NewPlace, digest
from wan22_app.adapters.backups import seal
from wan22_app.bootstrap import build_backup
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.backup import Manifest
from wan22_app.domain.catalog import DEMO_I2V
from wan22_app.domain.errors import CannotStart, Conflict, UserError
from wan22_app.domain.job import JobState

TARGET = "Sicherung von gestern, 漢字? 100%"


def manifest(backup: Path) -> Manifest:
    return Manifest.model_validate_json((backup / "manifest.json").read_bytes())


def test_everything_comes_back_but_the_weights(place: NewPlace, tmp_path: Path) -> None:
    old = place("old").open().fill()
    backup = old.back_up(tmp_path / TARGET)
    assert not backup.with_name(backup.name + ".part").exists()
    new = place("new, naïve")
    assert new.restore(backup) == ()
    new.open()
    assert new.check() == 3
    jobs = new.jobs.queue(LOCAL_PERSON)
    assert [job.id for job in jobs] == [old.running.id, old.waiting.id]
    assert jobs[0].state is JobState.RUNNING
    assert jobs[1].request == old.waiting.request
    before, after = old.files(), new.files()
    database = "data/wan22.sqlite"
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} <= {database}


def test_videos_are_linked_and_what_people_edit_is_copied(
    place: NewPlace, tmp_path: Path, config: Path
) -> None:
    old = place("old").open().fill()
    backup = old.back_up(tmp_path / "backup")
    videos = [*old.settings.outputs.glob("*.mp4")]
    assert len(videos) == 3
    for video in videos:
        assert (backup / "outputs" / video.name).samefile(video)
    config.write_text("{}", encoding="utf-8")
    (lora,) = old.settings.loras.iterdir()
    lora.write_bytes(b"trained on")
    assert json.loads((backup / "config.json").read_bytes()) == {"max_waiting": 7}
    assert (backup / "loras" / lora.name).read_bytes() == b"lora"
    # What comes back shares nothing with the backup.
    new = place("new")
    new.restore(backup)
    assert not (new.settings.outputs / videos[0].name).samefile(videos[0])


SHARED = Path("/dev/shm")


@pytest.mark.skipif(not SHARED.is_dir(), reason="there is no second file system at hand")
def test_on_another_disk_all_is_copied(place: NewPlace) -> None:
    old = place("old").open().fill()
    if SHARED.stat().st_dev == old.root.stat().st_dev:
        pytest.skip("the second file system is the first")
    with tempfile.TemporaryDirectory(dir=SHARED) as folder:
        backup = old.back_up(Path(folder) / "backup")
        kept = [*backup.glob("outputs/*")]
        assert len(kept) == 6
        assert {path.stat().st_nlink for path in kept} == {1}
        new = place("new")
        new.restore(backup)
    assert new.open().check() == 3


def test_loras_are_left_out_unless_wanted(place: NewPlace, tmp_path: Path) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup", loras=False)
    assert [*(backup / "loras").iterdir()] == []
    assert not [file for file in manifest(backup).files if file.kind == "loras"]


def test_a_link_to_another_disk_is_followed(place: NewPlace, tmp_path: Path) -> None:
    old = place("old").open()
    job = old.submit("one")
    content = old.finish(job)
    video = old.settings.outputs / f"{job.id}.mp4"
    elsewhere = tmp_path / "elsewhere.mp4"
    video.rename(elsewhere)
    try:
        video.symlink_to(elsewhere)
    except OSError:
        pytest.skip("this account may make no links")
    backup = old.back_up(tmp_path / "backup")
    kept = backup / "outputs" / video.name
    assert not kept.is_symlink()
    assert kept.read_bytes() == content


def test_what_is_missing_or_damaged_is_told(place: NewPlace, tmp_path: Path) -> None:
    old = place("old").open()
    gone, changed = old.submit("gone"), old.submit("changed")
    old.finish(gone)
    old.finish(changed)
    old.submit("with image", spec=DEMO_I2V, image=IMAGE.model_dump())
    (old.settings.outputs / f"{gone.id}.mp4").unlink()
    (old.settings.outputs / f"{changed.id}.mp4").write_bytes(b"rotten")
    backup = old.back_up(tmp_path / "backup")
    found = manifest(backup)
    images = {f"uploads/{IMAGE.sha256}.png", f"uploads/{IMAGE.original}.original.png"}
    assert set(found.missing) == {f"outputs/{gone.id}.mp4", *images}
    assert found.damaged == (f"outputs/{changed.id}.mp4",)
    new = place("new")
    new.restore(backup)
    assert (new.settings.outputs / f"{changed.id}.mp4").read_bytes() == b"rotten"


def test_what_was_here_is_kept_aside(place: NewPlace, tmp_path: Path) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    here = place("here").open()
    mine = here.submit("mine")
    content = here.finish(mine)
    lora = here.settings.loras / "Größe 漢.safetensors"
    lora.write_bytes(b"another")
    here.close()
    before = here.files()
    with pytest.raises(Conflict) as refusal:
        here.restore(backup)
    assert refusal.value.problem.code == "restore_occupied"
    assert here.files() == before
    aside = here.restore(backup, replace=True)
    assert here.check() == 3
    assert {folder.parent.name for folder in aside} == {"data", "outputs", "loras"}
    kept = {path.name: path for folder in aside for path in folder.iterdir()}
    assert kept[f"{mine.id}.mp4"].read_bytes() == content
    assert kept[lora.name].read_bytes() == b"another"
    with closing(sqlite3.connect(kept["wan22.sqlite"])) as connection:
        assert connection.execute("SELECT id FROM output").fetchall() == [(mine.id,)]
    assert not (here.settings.outputs / f"{mine.id}.mp4").exists()


def test_the_newest_rows_of_a_killed_app_are_kept_aside(place: NewPlace, tmp_path: Path) -> None:
    """They are still in the write-ahead log beside the database."""
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    here = place("here").open()
    here.close()
    file = here.settings.data / "wan22.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("INSERT INTO person (id, name) VALUES ('zoe', 'Zoe')")
        connection.commit()
        for ending in ("", "-wal"):
            shutil.copy(f"{file}{ending}", tmp_path / f"killed{ending}")
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"killed{ending}", f"{file}{ending}")
    assert file.with_name(file.name + "-wal").stat().st_size > 0
    (aside,) = here.restore(backup, replace=True)
    assert sorted(path.name for path in aside.iterdir()) == ["wan22.sqlite"]
    with closing(sqlite3.connect(aside / "wan22.sqlite")) as connection:
        assert ("zoe",) in connection.execute("SELECT id FROM person").fetchall()
    assert [path.name for path in here.settings.data.glob("wan22.sqlite-*")] == []
    assert here.check() == 3


def test_videos_without_a_database_are_not_lost_either(place: NewPlace, tmp_path: Path) -> None:
    """Without a row they would be swept away at the next start."""
    old = place("old").open().fill()
    backup = old.back_up(tmp_path / "backup")
    old.close()
    (old.settings.data / "wan22.sqlite").write_bytes(b"this is no database any more")
    (extra,) = [old.settings.outputs / f"{'0' * 32}.mp4"]
    extra.write_bytes(b"mine")
    aside = old.restore(backup, replace=True)
    assert (aside[1] / extra.name).read_bytes() == b"mine"
    assert (aside[0] / "wan22.sqlite").read_bytes() == b"this is no database any more"
    assert old.check() == 3


def test_settings_in_force_stay(place: NewPlace, tmp_path: Path, config: Path) -> None:
    backup = place("old").open().fill().back_up(tmp_path / "backup")
    place("same").restore(backup)
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]
    config.write_text(json.dumps({"max_waiting": 9}), encoding="utf-8")
    place("other").restore(backup)
    assert json.loads(config.read_bytes()) == {"max_waiting": 9}
    (kept,) = config.parent.glob("config-restored-*.json")
    assert json.loads(kept.read_bytes()) == {"max_waiting": 7}


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_an_older_database_is_brought_up_to_date(place: NewPlace, tmp_path: Path) -> None:
    from alembic import command

    from wan22_app.adapters.db.migrate import _config

    old = place("old").open()
    old.finish(old.submit("one"))
    current = revision(old.settings.data / "wan22.sqlite")
    old.close()
    command.downgrade(_config(old.settings.database), "0002")
    backup = old.back_up(tmp_path / "backup")
    assert manifest(backup).revision == "0002"
    new = place("new")
    new.restore(backup)
    assert revision(new.settings.data / "wan22.sqlite") == current
    new.open()
    assert new.check() == 1
    brought = {file.name for file in manifest(backup).files if file.kind}
    assert new.files().keys() == {"data/wan22.sqlite", *brought}


def test_a_newer_database_is_refused(place: NewPlace, tmp_path: Path) -> None:
    old = place("old").open().fill()
    backup = old.back_up(tmp_path / "backup")
    old.close()
    with closing(sqlite3.connect(old.settings.data / "wan22.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
        connection.commit()
    with pytest.raises(CannotStart) as refusal:
        old.back_up(tmp_path / "no")
    assert refusal.value.problem.code == "database_newer"
    assert not (tmp_path / "no").exists()
    newer = old.settings.data / "wan22.sqlite"
    forge(backup, newer.read_bytes())
    new = place("new")
    before = new.files()
    with pytest.raises(CannotStart) as refusal:
        new.restore(backup)
    assert refusal.value.problem.code == "database_newer"
    assert new.files() == before


def forge(backup: Path, database: bytes) -> None:
    """Put another database into a backup, with a manifest to match."""
    (backup / "wan22.sqlite").write_bytes(database)
    table = json.loads((backup / "manifest.json").read_bytes())
    for file in table["files"]:
        if file["name"] == "wan22.sqlite":
            file["sha256"] = digest(database)
    reseal(backup, json.dumps(table))


def reseal(backup: Path, table: str) -> None:
    """Another manifest, as if it had been written so."""
    (backup / "manifest.json").write_bytes(table.encode())
    (backup / "manifest.sha256").write_bytes(seal(table.encode()).encode())


def test_a_backup_inside_the_app_is_refused(place: NewPlace) -> None:
    old = place("old").open().fill()
    before = old.files()
    for name in ("outputs", "data", "loras", "models"):
        with pytest.raises(UserError) as refusal:
            old.back_up(old.root / name / "backup")
        assert refusal.value.problem.code == "backup_inside"
    assert old.files() == before


def test_nothing_is_written_over(place: NewPlace, tmp_path: Path) -> None:
    old = place("old").open().fill()
    backup = old.back_up(tmp_path / "backup")
    for taken in (backup, tmp_path / "settings" / "config.json"):
        with pytest.raises(Conflict) as refusal:
            old.back_up(taken)
        assert refusal.value.problem.code == "backup_target_exists"
    somebodys = tmp_path / "two.part"
    somebodys.mkdir()
    (somebodys / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict):
        old.back_up(tmp_path / "two")
    assert (somebodys / "thesis.txt").read_text() == "mine"
    with pytest.raises(UserError) as missing:
        old.back_up(tmp_path / "nowhere" / "backup")
    assert missing.value.problem.code == "backup_no_folder"


def test_a_place_without_a_database_has_nothing_to_back_up(place: NewPlace, tmp_path: Path) -> None:
    new = place("new")
    with pytest.raises(UserError) as refusal:
        new.back_up(tmp_path / "backup")
    assert refusal.value.problem.code == "backup_nothing"
    assert not (new.settings.data / "wan22.sqlite").exists()


def test_another_database_is_left_to_its_own_tools(place: NewPlace, tmp_path: Path) -> None:
    old = place("old")
    foreign = old.settings.model_copy(update={"database_url": "postgresql://localhost/wan22"})
    with pytest.raises(UserError) as refusal:
        build_backup(foreign).make(tmp_path / "backup", print)
    assert "pg_dump" in refusal.value.problem.cure
