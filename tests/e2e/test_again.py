"""What has failed is tried again from its row: decoded again alone; less only with consent."""

import secrets

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.isolation.conftest import ours, until
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import Job, JobState

pytestmark = pytest.mark.slow

LARGE = {"model": "demo-t2v", "steps": 1, "width": 320, "height": 320, "frames": 17}


def kill_while_decoding(services: Services, job: Job) -> None:
    """End the engine in the job's decoding, and wait until somebody has noticed."""

    def now() -> Job:
        return services.queue.get(LOCAL_PERSON, job.id)

    until(lambda: (p := now().progress) is not None and p.stage == "decoding", "the decoder")
    epoch = now().epoch
    for process in ours(services.settings, "engine.child"):
        process.kill()
    until(lambda: now().state.final or now().epoch > epoch, "somebody who notices")


def test_a_decode_that_failed_for_good_is_done_again_alone(
    open_page: OpenPage, services: Services
) -> None:
    fields = {**LARGE, "prompt": "killed while decoding"}
    job = services.submission.submit(LOCAL_PERSON, fields, secrets.token_hex(16))
    for _ in range(3):
        kill_while_decoding(services, job)
    assert services.queue.get(LOCAL_PERSON, job.id).state is JobState.QUARANTINED
    page = open_page("/queue")
    row = page.locator("#ended li").filter(has_text="killed while decoding").first
    for name in ("Decode again", "Try again with 240×240", "Try again"):
        expect(row.get_by_role("button", name=name, exact=True)).to_be_visible()
    row.get_by_role("button", name="Decode again", exact=True).click()
    expect(row).to_contain_text("Finished")
    row.get_by_role("button", name="What happened").click()
    expect(row).to_contain_text(f"another try of {job.id[:8]}")
    expect(row.locator("ol")).to_contain_text("only decoding is left")
    expect(row.locator("ol")).not_to_contain_text("Denoising.")


def test_consent_is_off_at_first_and_given_on_the_form(
    open_page: OpenPage, services: Services
) -> None:
    services.queue.pause_all(LOCAL_PERSON, paused=True)
    page = open_page()
    page.locator("#prompt").fill("a red ball")
    page.locator("#advanced > summary").click()
    switch = page.get_by_role("switch", name="If memory runs out, also try smaller")
    expect(switch).not_to_be_checked()
    page.locator("#generate").click()
    until(lambda: len(services.queue.active(LOCAL_PERSON)) == 1, "the first job")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    first = page.get_by_role("checkbox", name="Run before my other waiting jobs")
    first.click()  # not check(): the server's answer is what sets it
    expect(first).to_be_checked()
    expect(page.locator("#generate")).to_contain_text("next of mine")
    page.locator("#generate").click()
    until(lambda: len(services.queue.active(LOCAL_PERSON)) == 2, "the second job")
    asked = [job.request.may_reduce for job in services.queue.active(LOCAL_PERSON)]
    assert asked == [True, False], "the second went first"
