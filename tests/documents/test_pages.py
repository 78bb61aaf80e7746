"""The generated pages say what the code does today."""

from pathlib import Path

import pytest

from tests.documents.pages import DOCS, PAGES

AGAIN = "run: python -m tests.documents"


@pytest.mark.slow
@pytest.mark.timeout(600)  # some sixty processes, and another busy test beside them
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_is_what_the_code_does(page: Path, tmp_path: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page](tmp_path), AGAIN


def test_the_table_of_images_accepts_and_refuses_what_it_should() -> None:
    """A table that is built from real runs would also record a regression."""
    text = (DOCS / "compatibility.md").read_text(encoding="utf-8")
    images = text.split("## Sizes")[0]
    taken, others = images.split("Everything else is refused")
    assert "refused" not in taken
    rows = [line for line in others.splitlines() if line.startswith("|")][2:]
    assert rows
    assert not any("accepted" in row or "converted" in row for row in rows)


def test_every_script_is_read_to_the_limit_and_not_beyond() -> None:
    text = (DOCS / "compatibility.md").read_text(encoding="utf-8")
    table = text.split("## Prompts")[1].split("| prompt |")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 12
    for row in rows:
        *_, longest, more = row.strip("| ").split(" | ")
        assert "refused" not in longest
        assert "refused" in more
