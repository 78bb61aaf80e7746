"""Drafts in the browser: three seeds are looked at, one is kept, one discarded."""

import hashlib
from urllib.parse import urljoin

from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenPage
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON


def ask_for_drafts(page: Page, count: int, seed: int) -> None:
    page.locator("#prompt").fill("a red circle moving left")
    page.locator("#seed").fill(str(seed))
    page.locator("#count").fill(str(count))
    page.get_by_role("switch", name="Drafts first").click()
    expect(page.locator("#drafts-hint")).to_be_visible()
    page.locator("#generate").click()


def test_of_three_drafts_one_is_kept_and_becomes_a_video(
    open_page: OpenPage, services: Services
) -> None:
    page = open_page("/")
    ask_for_drafts(page, 3, seed=500)
    cards = page.locator("#undecided > li")
    expect(cards).to_have_count(3)
    expect(page.locator("#drafted")).to_contain_text("A draft is done")
    images = [card.locator("img") for card in cards.all()]
    shown = [
        page.request.get(urljoin(page.url, image.get_attribute("src"))).body() for image in images
    ]
    assert all(picture[8:12] == b"WEBP" for picture in shown)
    assert len({hashlib.sha256(picture).digest() for picture in shown}) == 3, "each its own seed"
    assert services.gallery.page(LOCAL_PERSON, limit=1)[:1] == [] or (
        services.gallery.page(LOCAL_PERSON, limit=1)[0].request.seed not in (500, 501, 502)
    )
    page.get_by_role("button", name="Discard the draft with seed 500").click()
    expect(cards).to_have_count(2)
    page.get_by_role("button", name="Keep the draft with seed 501").click()
    expect(page.locator("#finished")).to_contain_text("501")
    expect(cards).to_have_count(1)
    output = services.gallery.page(LOCAL_PERSON, limit=1)[0]
    assert output.request.seed == 501
    job = services.queue.get(LOCAL_PERSON, output.id)
    told = [event.text for event in services.queue.story(LOCAL_PERSON, job.id)]
    assert "Queued to go on with a draft after step 4 of 16." in told
    assert "Goes on after step 4 of 16 of an earlier run." in told
    page.reload()
    expect(cards).to_have_count(1)
    page.get_by_role("button", name="Discard the draft with seed 502").click()
    expect(page.locator("#undecided")).to_have_count(0)


def test_the_queue_says_draft_and_not_finished(open_page: OpenPage, services: Services) -> None:
    page = open_page("/")
    ask_for_drafts(page, 1, seed=700)
    expect(page.locator("#undecided > li")).to_have_count(1)
    page.goto(page.url.rstrip("/") + "/queue")
    row = page.locator("#ended > li").first
    expect(row).to_contain_text("Draft")
    expect(row).not_to_contain_text("Finished")
    row.get_by_role("button", name="What happened").click()
    expect(row).to_contain_text("Draft of 4 steps finished after")
    row.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator("#ended > li").first).to_contain_text("Finished")
    assert services.drafts.undecided(LOCAL_PERSON) == []
    drafts = page.locator("#ended > li").filter(has_text="Draft")
    shown = drafts.count()
    drafts.first.get_by_role("button", name="Remove", exact=True).click()
    expect(drafts).to_have_count(shown - 1)
