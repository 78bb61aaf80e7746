"""Kills a backup or a restore before one of its disk operations after another.

``python -m tests.backup.crash backup|restore FOLDER EVERY`` forks a child for every EVERY-th
operation, until one survives, and looks after each kill at what is left. Prints how many died.
"""

import os
import re
import shutil
import signal
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import BuiltinFunctionType, FrameType

from tests.backup.conftest import Place
from wan22_app.domain.errors import UserError

DISK = re.compile("open|write|flush|fsync|close|rename|replace|link|mkdir|unlink|rmdir|execute")
WRITERS = ("adapters", "pathlib", "shutil")


def dies(work: Callable[[], object], at: int) -> bool:
    """Run it in a process that is killed before its ``at``-th disk operation; False if it ends."""
    child = os.fork()
    if child == 0:
        sys.setprofile(Killer(at))
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, f"failed at {at}"
    return False


class Killer:
    """Counts calls into C by the code that writes files."""

    def __init__(self, at: int):
        self.left = at

    def __call__(self, frame: FrameType, event: str, called: object) -> None:
        if event != "c_call" or not isinstance(called, BuiltinFunctionType):
            return
        if DISK.fullmatch(called.__name__) and any(w in frame.f_code.co_filename for w in WRITERS):
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def whole(backup: Path, place: Place) -> None:
    """It can be restored, and every video has its file."""
    place.restore(backup)
    assert place.open().check() == 3
    place.close()


def backups(root: Path, every: int) -> int:
    """The same name each time: what a killed one left must not stop the next."""
    old = Place(root / "old").open().fill()
    old.close()
    target, before = root / "backup", old.files()
    for died in count():
        if not dies(lambda: old.back_up(target), 1 + died * every):
            break
        assert old.files() == before
        if target.exists():
            # Killed after the last rename: nothing is missing but the good news.
            whole(target, Place(root / f"early {died}"))
            shutil.rmtree(target)
            continue
        try:
            place = Place(root / f"from part {died}")
            place.restore(root / "backup.part")
        except UserError as error:
            assert error.problem.code == "backup_none"
            assert place.files() == {}
        else:
            # Whole, and only without its name yet.
            assert place.open().check() == 3
            place.close()
    assert sorted(path.name for path in root.glob("backup*")) == ["backup"]
    whole(target, Place(root / "new"))
    return died


def asides(place: Place) -> list[set[str]]:
    """What each restore has moved aside, wherever it lies."""
    found = defaultdict[str, set[str]](set)
    for name, sha256 in place.files().items():
        folder = name.split("/")[-2]
        if folder.startswith("before-restore-"):
            found[folder].add(sha256)
    return [*found.values()]


def restores(root: Path, every: int) -> int:
    """Whatever is cut short, nothing of what was here is lost, and the next one succeeds."""
    old = Place(root / "old").open().fill()
    backup = old.back_up(root / "backup")
    kept = {path: path.read_bytes() for path in backup.rglob("*") if path.is_file()}
    here = Place(root / "here").open()
    for number in range(2):
        here.finish(here.submit(f"mine {number}"))
    (here.settings.loras / "Größe 漢.safetensors").write_bytes(b"another")
    here.close()
    before = set(here.files().values())
    shutil.copytree(here.root, root / "template")
    for died in count():
        shutil.rmtree(here.root)
        shutil.copytree(root / "template", here.root)
        killed = dies(lambda: here.restore(backup, replace=True), 1 + died * every)
        assert before <= set(here.files().values()), f"lost something at {died}"
        if killed:
            # Somebody starts the app first: all is here as it was, or all has come back.
            seen = here.start().check()
            here.close()
            assert seen in (2, 3), f"{seen} videos at {died}"
            assert len([*here.settings.outputs.glob("*.mp4")]) == seen, f"mixed at {died}"
            here.restore(backup, replace=True)
        assert any(before <= kept for kept in asides(here)), f"scattered at {died}"
        assert here.open().check() == 3
        here.close()
        assert [*here.root.rglob(".wan22-restore")] == []
        assert {path: path.read_bytes() for path in kept} == kept
        if not killed:
            return died
    raise AssertionError("count never ends")


if __name__ == "__main__":
    work = {"backup": backups, "restore": restores}[sys.argv[1]]
    sys.stdout.write(f"\ndied {work(Path(sys.argv[2]), int(sys.argv[3]))} times\n")
