"""A day at the queue: ten jobs, reordered, paused, cancelled, failed and retried; the figures."""

import secrets
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import App, OpenPage
from wan22_app.adapters.db.engine import create_engine
from wan22_app.adapters.db.figures import SqlFigureStore
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import HoldReason


def submit(services: Services, prompt: str, **fields: object) -> str:
    values = {"model": "demo-t2v", "prompt": prompt, "steps": 2, "width": 64, "height": 64}
    return services.submission.submit(
        LOCAL_PERSON, {**values, **fields}, secrets.token_hex(16)
    ).id  # fmt: skip


def waiting(page: Page) -> Locator:
    return page.locator("#waiting li")


def order(page: Page) -> list[str]:
    return [text.split("\n")[0] for text in waiting(page).all_inner_texts()]


def choose(page: Page, kind: str) -> None:
    radio = page.locator("#ended-filter").get_by_role("radio", name=kind)
    radio.click()
    # Its answer has come: what the list shows from here on is of this kind.
    expect(radio).to_be_checked()


def press(row: Locator, name: str) -> None:
    row.get_by_role("button", name=name, exact=True).click()


@pytest.mark.slow
def test_ten_jobs_are_reordered_paused_resumed_and_cancelled(
    open_page: OpenPage, services: Services
) -> None:
    services.queue.pause_all(LOCAL_PERSON, paused=True)
    for number in range(10):
        submit(services, f"job {number}")
    page = open_page("/queue")
    expect(page.locator("#queue-paused")).to_be_visible()
    expect(waiting(page)).to_have_count(10)
    press(waiting(page).nth(9), "Move to the front")
    expect(waiting(page).first).to_contain_text("job 9")
    press(waiting(page).nth(0), "Move down")
    expect(waiting(page).first).to_contain_text("job 0")
    press(waiting(page).nth(3), "Move up")
    expect(waiting(page).nth(2)).to_contain_text("job 2")
    waiting(page).nth(5).drag_to(waiting(page).nth(0))
    expect(waiting(page).nth(0)).to_contain_text("job 4")
    waiting(page).nth(0).drag_to(waiting(page).nth(2))
    expect(waiting(page).nth(2)).to_contain_text("job 4")
    shown = order(page)
    assert sorted(shown) == sorted(f"job {n}" for n in range(10))
    assert [job.request.prompt for job in services.queue.active(LOCAL_PERSON)] == shown

    last = waiting(page).filter(has_text="job 8")
    press(last, "Pause")
    expect(last).to_contain_text("Paused")
    press(waiting(page).filter(has_text="job 7"), "Cancel")
    expect(waiting(page)).to_have_count(9)
    page.get_by_role("button", name="Resume the queue").click()
    expect(page.locator("#queue-paused")).to_have_count(0)
    expect(waiting(page)).to_have_count(1)
    expect(waiting(page).first).to_contain_text("job 8")
    press(waiting(page).first, "Resume")
    expect(page.locator("#ended li").filter(has_text="job 8")).to_contain_text("Finished")
    ran = [
        job.request.prompt
        for job in reversed(services.queue.ended(LOCAL_PERSON, limit=10))
        if job.state == "succeeded"
    ]
    assert ran == [*(name for name in shown if name not in ("job 7", "job 8")), "job 8"]

    done = page.locator("#ended li").filter(has_text="job 8")
    press(done, "Remove")
    expect(done).to_have_count(0)
    choose(page, "Cancelled")
    expect(page.locator("#ended li").first).to_contain_text("job 7")
    expect(page.locator("#ended li").filter(has_text="Finished")).to_have_count(0)


def test_a_job_that_fails_tells_its_story_and_is_retried(
    open_page: OpenPage, services: Services, picture: Path
) -> None:
    services.queue.pause_all(LOCAL_PERSON, paused=True)
    image = services.images.accept(picture.read_bytes())
    job = submit(services, "it will fail", model="demo-i2v", image=image)
    stored = services.images.path(image)
    aside = stored.with_suffix(".aside")
    stored.rename(aside)
    services.queue.pause_all(LOCAL_PERSON, paused=False)
    page = open_page("/queue")
    row = page.locator("#ended li").filter(has_text="it will fail").first
    expect(row).to_contain_text("The start image is no longer here")
    press(row, "What happened")
    expect(row.locator("ol")).to_contain_text("Queued.")
    expect(row.locator("ol")).to_contain_text("Failed.")
    choose(page, "Failed")
    expect(page.locator("#ended li").first).to_contain_text("it will fail")
    aside.rename(stored)
    press(page.locator("#ended li").first, "Try again")
    choose(page, "Finished")
    done = page.locator("#ended li").filter(has_text="it will fail")
    expect(done).to_contain_text("Finished")
    newest = services.queue.ended(LOCAL_PERSON, limit=1)[0]
    assert newest.parent_id == job


def test_figures_move_in_two_browsers(
    open_page: OpenPage, browser: Browser, app: App, services: Services
) -> None:
    page = open_page("/queue")
    with closing(browser.new_context()) as second:
        other = second.new_page()
        other.goto(app.url + "/queue")
        seen = []
        for each in (page, other):
            machine = each.locator("#machine")
            expect(machine).to_contain_text("Main memory")
            expect(machine.get_by_label("Card", exact=True)).to_contain_text("not told")
            expect(machine.locator(".wan-plot svg.recharts-surface")).to_have_count(3)
            seen.append(machine.get_by_label("Processor").inner_text())
        submit(services, "something to do", steps=100, width=256, height=256)
        for each, text in zip((page, other), seen, strict=True):
            expect(each.locator("#machine").get_by_label("Processor")).not_to_have_text(text)


def test_a_warning_says_what_runs_out_and_what_to_do(
    open_page: OpenPage, services: Services
) -> None:
    page = open_page("/queue")
    expect(page.locator("#machine")).to_contain_text("Disk of the videos")
    latest = services.monitoring.latest()
    assert latest is not None
    store = SqlFigureStore(create_engine(services.settings.database))
    warning = page.locator("#warnings").get_by_text("The disk of the videos has 3.0 GB left.")
    for _ in range(100):  # among the true samples, until the page has looked at one of ours
        low = latest.model_copy(update={"at": datetime.now(UTC), "disk_free": 3 * 10**9})
        store.add(low, forget_before=latest.at - timedelta(hours=1))
        with suppress(AssertionError):
            expect(warning).to_be_visible(timeout=500)
            break
    expect(page.locator("#warnings")).to_contain_text("make room on the disk")


def test_a_full_disk_stops_the_queue_in_plain_sight(
    open_page: OpenPage, services: Services
) -> None:
    """The dispatcher passes over a paused queue: nothing but this test changes the hold."""
    services.queue.pause_all(LOCAL_PERSON, paused=True)
    job = services.queue.get(LOCAL_PERSON, submit(services, "no room"))
    for path in ("/queue", "/"):
        page = open_page(path)
        banner = page.get_by_role("alert").filter(has_text="The queue waits")
        expect(banner).to_have_count(0)
        services.jobs.hold(job, HoldReason.SPACE)
        expect(banner).to_contain_text("it goes on by itself")
        held = services.queue.get(LOCAL_PERSON, job.id)
        services.jobs.hold(held, HoldReason.NONE)
        expect(banner).to_have_count(0)
    services.queue.cancel(LOCAL_PERSON, job.id)
    services.queue.pause_all(LOCAL_PERSON, paused=False)
