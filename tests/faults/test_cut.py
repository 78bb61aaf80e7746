"""The simulated power cut itself: what was synced is there, all else may be."""

import random
from pathlib import Path

import pytest

from tests.faults.cut import SECTOR, Disk
from tests.faults.disk import Record

TIMES = 300


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "old").write_bytes(b"old")
    return tmp_path


def call(kind: str, path: Path, *, inode: int = 7, offset: int = 0, data: bytes = b"") -> Record:
    return Record(kind, inode, offset, str(path), data)


def outcomes(root: Path, *calls: Record) -> set[frozenset[tuple[str, bytes]]]:
    """All that can be found after a cut behind these calls."""
    disk = Disk(root)
    disk.play(calls)
    found = [disk.after(random.Random(seed)) for seed in range(TIMES)]
    return {
        frozenset((str(Path(name).relative_to(root).as_posix()), content)
                  for name, content in files.items() if not name.endswith("old"))
        for files in found
    }  # fmt: skip


def test_nothing_is_sure_of_a_new_file(root: Path) -> None:
    new, data = root / "a" / "new", b"x" * SECTOR + b"y"
    found = outcomes(root, call("C", new), call("W", new, data=data))
    halves = {b"", data, b"x" * SECTOR, bytes(SECTOR) + b"y"}
    assert found == {frozenset(), *(frozenset({("a/new", half)}) for half in halves)}


def test_a_synced_file_without_its_folder_may_be_gone(root: Path) -> None:
    new = root / "a" / "new"
    calls = [call("C", new), call("W", new, data=b"x"), call("S", new)]
    assert outcomes(root, *calls) == {frozenset(), frozenset({("a/new", b"x")})}
    calls.append(call("D", root / "a"))
    assert outcomes(root, *calls) == {frozenset({("a/new", b"x")})}


def test_a_rename_before_the_sync_may_show_an_empty_file(root: Path) -> None:
    part, new = root / "a" / "part", root / "b" / "new"
    calls = [
        call("C", part), call("W", part, data=b"x"),
        call("R", part, data=str(new).encode()), call("D", root / "b"),
    ]  # fmt: skip
    both = {frozenset({("b/new", b"")}), frozenset({("b/new", b"x")})}
    assert outcomes(root, *calls) == both


def test_a_rename_is_never_half_done(root: Path) -> None:
    part, new = root / "a" / "part", root / "b" / "new"
    calls = [call("C", part), call("R", part, data=str(new).encode())]
    found = {frozenset(), frozenset({("a/part", b"")}), frozenset({("b/new", b"")})}
    assert outcomes(root, *calls) == found


def test_names_go_in_the_order_of_their_folder(root: Path) -> None:
    first, second = root / "a" / "first", root / "a" / "second"
    calls = [call("C", first, inode=1), call("C", second, inode=2), call("U", first)]
    found = {frozenset(), frozenset({("a/first", b"")}),
             frozenset({("a/first", b""), ("a/second", b"")}),
             frozenset({("a/second", b"")})}  # fmt: skip
    assert outcomes(root, *calls) == found


def test_nothing_is_there_behind_a_lost_truncation(root: Path) -> None:
    old = root / "a" / "old"
    inode = old.stat().st_ino
    disk = Disk(root)
    disk.play([call("T", old, inode=inode), call("W", old, inode=inode, data=b"new")])
    found = {disk.after(random.Random(seed))[str(old)] for seed in range(TIMES)}
    assert found == {b"old", b"", b"new"}


def test_all_is_there_while_the_power_is_on(root: Path) -> None:
    new, newer = root / "a" / "new", root / "b" / "newer"
    disk = Disk(root)
    disk.play([
        call("C", new), call("W", new, offset=3, data=b"x"),
        call("R", new, data=str(newer).encode()), call("U", root / "a" / "old"),
    ])  # fmt: skip
    assert disk.now() == {str(newer): b"\0\0\0x"}
    disk.become(disk.now())
    assert newer.read_bytes() == b"\0\0\0x"
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["newer"]
