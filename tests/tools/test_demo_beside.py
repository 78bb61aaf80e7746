"""Two stages beside each other: both end, fail or are killed together."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from tools.demo.beside import beside

PATIENCE = 60.0
NAMES = ("high", "low")


def note(folder: Path, name: str) -> None:
    """Say who one is."""
    folder.joinpath(name).write_text(f"{os.getpid()} {torch.get_num_threads()}", encoding="utf-8")


def fail(folder: Path, name: str) -> None:
    """One fails as soon as the other is there, which then stays for long."""
    note(folder, name)
    if name == "low":
        time.sleep(PATIENCE)
    _await(folder / "low")
    raise SystemExit(3)


def stay(folder: Path, name: str) -> None:
    """Stay for long."""
    note(folder, name)
    time.sleep(PATIENCE)


def test_both_work_in_processes_and_threads_of_their_own(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        beside(partial(note, tmp_path), NAMES)
    finally:
        torch.set_num_threads(before)
    said = [tmp_path.joinpath(name).read_text(encoding="utf-8").split() for name in NAMES]
    assert len({pid for pid, _ in said} | {str(os.getpid())}) == 3
    assert [threads for _, threads in said] == ["1", "1"]


def test_the_failure_of_one_is_told_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="high ended with exit code 3"):
        beside(partial(fail, tmp_path), NAMES)
    assert time.monotonic() - start < PATIENCE, "not waited for the other"
    other = psutil.Process(_pid(tmp_path / "low"))
    other.kill()
    other.wait()


def test_a_killed_run_leaves_none_behind(tmp_path: Path) -> None:
    code = (
        "from functools import partial; from pathlib import Path\n"
        "from tests.tools.test_demo_beside import NAMES, beside, stay\n"
        f"if __name__ == '__main__': beside(partial(stay, Path({str(tmp_path)!r})), NAMES)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code, encoding="utf-8")
    root = Path(__file__).parents[2]
    run = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": str(root)})
    try:
        children = [psutil.Process(_pid(tmp_path / name)) for name in NAMES]
    finally:
        run.kill()
        run.wait()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE / 2)
    assert not alive


def _await(path: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if path.exists() and (said := path.read_text(encoding="utf-8")):
            return said
        time.sleep(0.05)
    raise TimeoutError(path)


def _pid(path: Path) -> int:
    return int(_await(path).split()[0])
