"""The other pages, and how every page looks."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PROJECT, OpenPage

PAGES = {"generation": "/", "optimizations": "/optimizations", "queue": "/queue",
         "outputs": "/outputs"}  # fmt: skip
SIZES = {390: 844, 1024: 768, 1920: 1080}
MARKS = {"generation": "#form", "optimizations": "#checks li", "queue": "#machine",
         "outputs": "#outputs"}  # fmt: skip


def test_the_machine_page_says_what_is_missing_and_what_to_do(open_page: OpenPage) -> None:
    page = open_page("/optimizations")
    expect(page.locator("#checks")).to_contain_text("Card: No NVIDIA card was found")
    missing = page.locator("#models li").filter(has_text="T2V-A14B")
    expect(missing).to_contain_text("not here")
    expect(missing).to_contain_text("69 GB")
    expect(page.locator("#models li").filter(has_text="Demo T2V")).to_contain_text("ready")
    page.get_by_role("button", name="Free the card").click()
    expect(page.get_by_text("The card will be freed")).to_be_visible()


def test_a_missing_model_says_what_it_needs_instead_of_failing_late(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#model").click()
    page.get_by_role("option", name="T2V-A14B (not here)").click()
    expect(page.locator("#verdict")).to_contain_text("Wan-AI/Wan2.2-T2V-A14B-Diffusers")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("mode", ["dark", "light"])
def test_screenshots(open_page: OpenPage, name: str, width: int, mode: str) -> None:
    """Nothing may be wider than the window; the pictures are for eyes."""
    page = open_page(PAGES[name])
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.evaluate(f"() => localStorage.setItem('theme', '{mode}')")
    page.reload()
    expect(page.locator(MARKS[name]).first).to_be_visible()
    expect(page.locator("html")).to_have_class(re.compile(mode))
    if name == "generation":
        expect(page.locator("#model")).not_to_be_empty()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    folder = PROJECT / "screenshots"
    folder.mkdir(exist_ok=True)
    file = Path(folder / f"{name}-{width}-{mode}.png")
    page.screenshot(path=file)
    assert file.stat().st_size > 0
