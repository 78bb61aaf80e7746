"""Shape of the code: sizes, docstrings, dependencies with a reason, no hosts of registries."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = sorted((PROJECT / "wan22_app").rglob("*.py"))
MOST_LINES = 400
MOST_FUNCTION_LINES = 50


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_file_can_be_held_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "say what the module is"
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= MOST_FUNCTION_LINES, function.name


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[=<>~ ]", line)[0] for line in wanted}
    page = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert {name for name in names if name not in page} == set()


def test_the_lock_is_exact_and_leaves_torch_to_the_machine() -> None:
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    entries = [line for line in lock.splitlines() if line and line[0] not in " #-"]
    assert len(entries) > 50
    assert all("==" in entry for entry in entries)
    assert lock.count("--hash=sha256:") > len(entries)
    assert not re.search(r"^(torch==|triton|nvidia-cu)", lock, re.MULTILINE)
    assert "--index" not in lock
    assert "--extra-index" not in lock
