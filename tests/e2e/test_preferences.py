"""Defaults that are changed once and presets that are kept, as a new user would find them."""

from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage


def test_a_changed_default_reaches_new_forms_and_other_tabs(open_page: OpenPage) -> None:
    page = open_page("/optimizations")
    other = open_page("/optimizations")
    offload = page.get_by_role("radiogroup", name="Offload")
    expect(offload.get_by_role("radio", name="Automatic")).to_be_checked()
    offload.get_by_role("radio", name="Block").click()
    expect(offload.get_by_role("radio", name="Block")).to_be_checked()
    theirs = other.get_by_role("radiogroup", name="Offload")
    expect(theirs.get_by_role("radio", name="Block")).to_be_checked()
    form = open_page()
    form.locator("#advanced summary").click()
    expect(form.locator("#offload")).to_have_text("block")
    offload.get_by_role("radio", name="Automatic").click()
    expect(offload.get_by_role("radio", name="Automatic")).to_be_checked()


def test_prices_are_told_for_the_model_that_is_asked_for(open_page: OpenPage) -> None:
    page = open_page("/optimizations")
    precision = page.get_by_role("radiogroup", name="Precision", exact=True)
    expect(precision).to_contain_text("The model's own (fp32)")
    expect(page.get_by_role("radiogroup", name="Offload")).to_contain_text("Without a card")
    page.locator("#compared").click()
    page.get_by_role("option", name="T2V-A14B", exact=True).click()
    expect(precision).to_contain_text("The model's own (bf16)")
    expect(precision.get_by_role("radio").last).to_contain_text("GB")


def test_the_plan_says_what_is_taken_and_what_speaks_against_the_others(
    open_page: OpenPage,
) -> None:
    page = open_page("/optimizations")
    ways = page.locator("#plan li")
    expect(ways).to_have_count(2)
    expect(ways.first).to_contain_text("Taken.")
    expect(ways.last).to_contain_text("Would fit, but takes longer.")
    page.locator("#compared").click()
    page.get_by_role("option", name="T2V-A14B", exact=True).click()
    expect(ways.first).to_contain_text("Too large for main memory")


def test_a_form_becomes_a_preset_and_comes_back(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#model")).not_to_be_empty()
    page.locator("#advanced summary").click()
    page.locator("#steps").fill("13")
    page.locator("#prompt").fill("stays")
    page.locator("#preset-menu").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("A preset needs a name")).to_be_visible()
    page.locator("#preset-name").fill("thirteen")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Preset saved")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#steps").fill("4")
    page.locator("#prompt").fill("another one")
    page.locator("#preset-menu").click()
    page.get_by_role("button", name="thirteen").click()
    expect(page.locator("#steps")).to_have_value("13")
    expect(page.locator("#prompt")).to_have_value("another one")

    page = open_page("/optimizations", page)
    row = page.locator("#presets li").filter(has_text="thirteen")
    expect(row).to_contain_text("13 steps")
    row.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_the_folders_in_force_are_named(open_page: OpenPage) -> None:
    page = open_page("/optimizations")
    for name in ("Outputs", "Models", "LoRAs", "Data"):
        expect(page.locator("#folders li").filter(has_text=name)).to_contain_text("GB free")
