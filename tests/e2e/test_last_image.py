"""A first and a last image in a real browser, and the video between them."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.test_generation import expect_video, fill, generate
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON


def test_a_video_between_two_images(
    open_page: OpenPage, services: Services, picture: Path, tmp_path: Path
) -> None:
    last, text = tmp_path / "last.png", tmp_path / "text.png"
    Image.new("RGB", (64, 64), "teal").save(last)
    text.write_text("no image")
    page = open_page("/")
    fill(page, "the square turns teal", "Demo I2V")
    page.locator("#start-image input[type=file]").set_input_files(picture)
    expect(page.locator("#start-preview")).to_be_visible()
    drop = page.locator("#last-image input[type=file]")
    drop.set_input_files(text)
    expect(page.locator("#last_image-error")).not_to_be_empty()
    drop.set_input_files(last)
    expect(page.locator("#last-preview")).to_be_visible()
    expect(page.locator("#last_image-error")).to_have_count(0)

    # The draft brings both back.
    page.reload()
    expect(page.locator("#last-preview")).to_be_visible()
    expect(page.locator("#start-preview")).to_be_visible()
    generate(page)
    expect_video(page, "the square turns teal")
    request = services.queue.ended(LOCAL_PERSON, limit=1)[0].request
    assert request.image is not None
    assert request.last_image is not None
    assert (request.last_image.width, request.last_image.height) == (64, 64)

    page.get_by_role("button", name="Remove the last image").click()
    expect(page.locator("#last-image")).to_be_visible()
