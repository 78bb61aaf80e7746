"""The pages' texts."""

import ast
from collections import Counter
from pathlib import Path

from wan22_app.web import words


def test_no_name_of_a_text_hides_another() -> None:
    """All modules' names are one: of two equal ones a page would show the wrong text."""
    folder = Path(words.__file__).parent
    names = Counter(
        target.id
        for module in folder.glob("*.py")
        for line in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    )
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []
