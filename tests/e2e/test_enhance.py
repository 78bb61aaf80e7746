"""The prompt enhancer on the page: the difference, accept, edit, undo, conflicts, examples."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PROJECT, OpenPage

SIZES = {390: 844, 1024: 768, 1920: 1080}
CAT = "a cat on a red sofa"
CAT_ENHANCED = (
    "a cat on a red sofa, natural lively movements, camera slowly follows, medium shot, daylight, "
    "soft lighting, daytime, telephoto lens, cinematic style, fine detail and natural exposure"
)


def ready(page: Page, prompt: str, model: str = "Demo T2V") -> None:
    expect(page.locator("#model")).not_to_be_empty()
    if page.locator("#model").inner_text() != model:
        page.locator("#model").click()
        page.get_by_role("option", name=model, exact=True).click()
        expect(page.locator("#model")).to_have_text(model)
    page.locator("#prompt").fill(prompt)
    expect(page.locator("#counter")).to_contain_text("tokens")


def enhance(page: Page) -> None:
    page.get_by_role("button", name="Enhance").click()
    expect(page.get_by_role("region", name="Suggested prompt")).to_be_visible()


def test_additions_are_marked_accepted_and_taken_back(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, CAT)
    enhance(page)
    expect(page.locator("#suggestion")).to_have_text(CAT_ENHANCED)
    expect(page.locator("#suggestion > span")).to_have_text(CAT)
    added = page.locator("#suggestion > ins")
    expect(added).to_have_count(9)
    expect(added.first).to_have_attribute("title", "motion")
    line = "e => getComputedStyle(e).textDecorationLine"
    assert added.first.locator("span").evaluate(line) == "underline"
    expect(page.locator("#prompt")).to_have_value(CAT)
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("#prompt")).to_have_value(CAT_ENHANCED)
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#enhanced")).to_have_count(0)
    expect(page.locator("#verdict")).to_contain_text("Runs here")
    page.reload()
    expect(page.locator("#prompt")).to_have_value(CAT_ENHANCED)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#prompt")).to_have_value(CAT)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_suggestion_can_be_edited_and_the_own_words_come_back(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, CAT)
    enhance(page)
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#prompt")).to_have_value(CAT_ENHANCED)
    page.locator("#prompt").press("Control+End")
    page.locator("#prompt").press_sequentially(", warm colours")
    expect(page.locator("#prompt")).to_have_value(CAT_ENHANCED + ", warm colours")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#prompt")).to_have_value(CAT)


def test_a_suggestion_ends_with_the_prompt_it_was_made_for(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, CAT)
    enhance(page)
    page.locator("#prompt").fill("a dog")
    expect(page.locator("#enhanced")).to_have_count(0)
    enhance(page)
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#enhanced")).to_have_count(0)
    expect(page.locator("#enhance")).to_be_focused()
    expect(page.locator("#prompt")).to_have_value("a dog")


def test_a_conflict_is_shown_and_a_full_prompt_is_told_so(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, "a street, static camera, dolly in")
    enhance(page)
    notes = page.locator("#enhance-notes")
    expect(notes).to_contain_text("Worth a look: “static camera” and “dolly in”")
    page.get_by_role("button", name="Discard").click()
    ready(page, CAT_ENHANCED)
    enhance(page)
    expect(notes).to_contain_text("leaves nothing open")
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#enhanced")).to_have_count(0)


def test_the_counter_counts_in_the_models_tokens(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, "red")
    expect(page.locator("#counter")).to_have_text("2 / 512 tokens")
    page.locator("#prompt").fill("x" * 600)
    expect(page.locator("#counter")).to_have_text("602 / 512 tokens")
    expect(page.locator("#prompt-error")).to_contain_text("602 tokens")
    page.locator("#model").click()
    page.get_by_role("option", name="TI2V-5B (not here)").click()
    expect(page.locator("#counter")).to_have_text("600 / 2000 characters")


def test_examples_fit_the_model_and_can_be_taken_back(open_page: OpenPage) -> None:
    page = open_page()
    ready(page, "my own idea")
    page.get_by_role("button", name="Examples").click()
    page.get_by_role("menuitem", name="A red circle moving left", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("A red circle moving left")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#prompt")).to_have_value("my own idea")
    page.locator("#model").click()
    page.get_by_role("option", name="I2V-A14B (not here)").click()
    expect(page.locator("#model")).to_contain_text("I2V-A14B")
    page.get_by_role("button", name="Examples").click()
    expect(page.get_by_role("menuitem").first).to_contain_text("The person turns")


@pytest.mark.slow
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("mode", ["dark", "light"])
def test_how_a_suggestion_looks(open_page: OpenPage, width: int, mode: str) -> None:
    """Nothing may be wider than the window; the pictures are for eyes."""
    page = open_page()
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.evaluate(f"() => localStorage.setItem('theme', '{mode}')")
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile(mode))
    ready(page, "A woman stands on a cliff at night, static camera, dolly in.")
    enhance(page)
    page.locator("#enhanced").scroll_into_view_if_needed()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    folder = PROJECT / "screenshots"
    folder.mkdir(exist_ok=True)
    file = Path(folder / f"enhance-{width}-{mode}.png")
    page.screenshot(path=file)
    assert file.stat().st_size > 0
