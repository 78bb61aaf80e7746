"""The main job in a real browser: from a prompt to a playing video."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import gguf_files
from tests.e2e.conftest import App, OpenPage
from wan22_app.domain.catalog import DEMO_TI2V

PLAYS = """() => {
  const video = document.querySelector('#finished video, #result video');
  return video && video.readyState >= 2 && video.currentTime > 0 ? video.videoWidth : 0;
}"""


def fill(page: Page, prompt: str, model: str = "Demo T2V") -> None:
    """Choose a model and type a prompt; returns when the form says that it is ready."""
    expect(page.locator("#generate")).to_be_enabled()
    expect(page.locator("#model")).not_to_be_empty()
    if page.locator("#model").inner_text() != model:
        page.locator("#model").click()
        page.get_by_role("option", name=model, exact=True).click()
        expect(page.locator("#model")).to_have_text(model)
    page.locator("#prompt").fill(prompt)


def longer(page: Page, steps: int) -> None:
    """A job long enough to watch."""
    page.locator("#advanced summary").click()
    page.locator("#steps").fill(str(steps))
    page.locator("#height").fill("256")
    page.locator("#width").fill("256")
    expect(page.locator("#verdict")).to_contain_text("Runs here")


def generate(page: Page) -> None:
    expect(page.locator("#verdict")).to_contain_text("Runs here")
    page.locator("#generate").click()


def expect_video(page: Page, prompt: str, width: int = 128) -> None:
    expect(page.locator("#finished")).to_contain_text(prompt)
    page.wait_for_function(PLAYS)
    assert page.evaluate(PLAYS) == width


def test_text_becomes_a_playing_video(open_page: OpenPage, app: App) -> None:
    page = open_page()
    fill(page, "a red ball rolls to the left")
    generate(page)
    expect_video(page, "a red ball rolls to the left")
    with page.expect_download() as download:
        page.locator("#download").first.click()
    assert download.value.suggested_filename.endswith(".mp4")
    assert len(list(app.outputs.glob("*.mp4"))) >= 1


def test_an_uploaded_picture_becomes_a_video(open_page: OpenPage, picture: Path) -> None:
    page = open_page()
    fill(page, "the orange square grows", "Demo I2V")
    expect(page.get_by_text("This model starts from it")).to_be_visible()
    expect(page.locator("#image-error")).to_contain_text("starts from an image")
    page.locator("#start-image input[type=file]").set_input_files(picture)
    expect(page.locator("#start-preview")).to_be_visible()
    generate(page)
    expect_video(page, "the orange square grows")


@pytest.mark.slow
@pytest.mark.parametrize("with_image", [False, True])
def test_one_model_goes_both_ways(open_page: OpenPage, picture: Path, with_image: bool) -> None:
    page = open_page()
    prompt = f"a blue kite, {'with' if with_image else 'without'} a picture"
    fill(page, prompt, "Demo TI2V")
    if with_image:
        page.locator("#start-image input[type=file]").set_input_files(picture)
        expect(page.locator("#start-preview")).to_be_visible()
    generate(page)
    expect_video(page, prompt, DEMO_TI2V.size.width)


def test_what_is_no_image_is_refused_beside_the_field(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    fill(page, "x", "Demo I2V")
    fake = tmp_path / "fake.png"
    fake.write_text("this is no picture")
    page.locator("#start-image input[type=file]").set_input_files(fake)
    expect(page.locator("#image-error")).to_contain_text("This is a text file")


def test_errors_stand_beside_their_fields_while_typing(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a green leaf")
    page.locator("#advanced summary").click()
    page.locator("#width").fill("65")
    expect(page.locator("#width-error")).to_contain_text("64 or 66")
    expect(page.locator("#verdict")).to_contain_text("64 or 66")
    page.locator("#width").fill("64")
    expect(page.locator("#width-error")).to_have_count(0)
    page.locator("#steps").fill("many")
    expect(page.locator("#steps-error")).to_contain_text("whole number")
    page.locator("#prompt").fill("")
    expect(page.locator("#prompt-error")).to_contain_text("empty")


def test_a_crop_is_said_beforehand(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a green leaf")
    page.locator("#advanced summary").click()
    page.locator("#width").fill("160")
    page.locator("#height").fill("90")
    expect(page.locator("#made")).to_contain_text("Made at 160×96, cropped to 160×90")


def test_a_running_job_is_cancelled_and_retried(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a long walk")
    longer(page, 200)
    generate(page)
    expect(page.locator("#live-card #stage-text")).to_have_text("Denoising")
    page.locator("#live-card").get_by_role("button", name="Cancel").click()
    expect(page.locator("#ended-card")).to_contain_text("Cancelled")
    page.locator("#ended-card").get_by_role("button", name="Try again").click()
    expect(page.locator("#live-card")).to_contain_text("a long walk")
    page.locator("#live-card").get_by_role("button", name="Cancel").click()
    expect(page.locator("#ended-card")).to_contain_text("Cancelled")


def test_what_a_job_is_going_to_show_is_seen_while_it_runs(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a red circle moving left")
    longer(page, 200)
    generate(page)
    preview = page.locator("#live-card").get_by_role("img", name="Preview of the video")
    expect(preview).to_be_visible()
    shown = "img => img.complete && img.naturalWidth === 32"  # 256 pixels, 8 for a cell
    page.wait_for_function(shown, arg=preview.element_handle())
    first = preview.get_attribute("src")
    assert first is not None
    expect(preview).not_to_have_attribute("src", first)
    page.goto(page.url.rstrip("/") + "/queue")
    expect(page.locator("#running").get_by_role("img")).to_be_visible()
    page.locator("#running").get_by_role("button", name="Cancel").click()
    expect(page.locator("#running")).to_have_count(0)


@pytest.mark.slow
def test_a_reload_and_a_second_tab_show_the_same_and_closing_changes_nothing(
    open_page: OpenPage,
) -> None:
    page = open_page()
    fill(page, "a slow river")
    longer(page, 60)
    generate(page)
    expect(page.locator("#live-card #stage-text")).to_have_text("Denoising")
    page.reload()
    expect(page.locator("#live-card")).to_contain_text("a slow river")
    expect(page.locator("#live-card #stage-text")).to_have_text("Denoising")
    expect(page.locator("#prompt")).to_have_value("a slow river")
    other = open_page()
    expect(other.locator("#live-card #stage-count")).to_contain_text("/60")
    # Two looks at a moving figure: the second tab must see what the first saw, a second later.
    seen = int(page.locator("#stage-count").inner_text().split("/")[0])
    other.wait_for_function(
        f"() => Number(document.querySelector('#stage-count').innerText.split('/')[0]) >= {seen}",
        timeout=1000,
    )
    page.close()
    before = int(other.locator("#stage-count").inner_text().split("/")[0])
    other.wait_for_function(
        f"() => {{ const c = document.querySelector('#stage-count');"
        f" return !c || Number(c.innerText.split('/')[0]) > {before}; }}"
    )
    expect_video(other, "a slow river", 256)


def test_two_clicks_make_one_job(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "only once")
    expect(page.locator("#verdict")).to_contain_text("Runs here")
    page.evaluate("() => { const b = document.querySelector('#generate'); b.click(); b.click(); }")
    expect_video(page, "only once")
    page.goto(page.url + "queue")
    expect(page.locator("#ended li").filter(has_text="only once")).to_have_count(1)


def test_earlier_settings_come_back(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "seeded")
    page.locator("#seed").fill("4242")
    generate(page)
    expect_video(page, "seeded")
    page.locator("#seed").fill("")
    page.locator("#prompt").fill("something else")
    page.get_by_role("button", name="Use these settings").first.click()
    expect(page.locator("#prompt")).to_have_value("seeded")
    expect(page.locator("#seed")).to_have_value("4242")


def test_ctrl_enter_generates(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "by keyboard")
    expect(page.locator("#verdict")).to_contain_text("Runs here")
    page.locator("#prompt").press("Control+Enter")
    expect_video(page, "by keyboard")


@pytest.mark.parametrize("width", [390, 1024])
def test_a_real_models_speeds_stand_beside_each_other_and_say_what_they_cost(
    open_page: OpenPage, width: int
) -> None:
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})
    fill(page, "a fox in the snow", "T2V-A14B (not here)")
    speeds = page.get_by_role("radiogroup", name="Speed")
    speeds.get_by_role("radio", name="Fast").click()
    expect(page.locator("#speed-note")).to_contain_text("lossy")
    box, column = speeds.bounding_box(), page.locator("#prompt").bounding_box()
    assert box is not None and column is not None
    assert box["width"] <= column["width"]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_gguf_files_are_a_model_of_their_own(open_page: OpenPage, app: App) -> None:
    models = Path(app.environment["WAN22_MODELS"])
    source = models / "demo" / "t2v"
    halves = [models / f"toy-{noise}noise.gguf" for noise in ("high", "low")]
    try:
        for part, path in zip(("transformer", "transformer_2"), halves, strict=True):
            gguf_files.write(source / part, path, "Q8_0")
        page = open_page()
        fill(page, "a red circle from few bits", "Demo T2V Q8_0")
        generate(page)
        expect_video(page, "a red circle from few bits")
        halves[1].unlink()
        page.reload()
        page.locator("#model").click()
        expect(page.get_by_role("option", name="toy (not here)")).to_be_visible()
    finally:
        for path in halves:
            path.unlink(missing_ok=True)


@pytest.mark.slow
def test_a_video_is_continued(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a green square that is to go on")
    generate(page)
    expect_video(page, "a green square that is to go on")
    page.goto(page.url.rstrip("/") + "/outputs")
    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="Continue this video").click()
    expect(page.locator("#continued")).to_be_visible()
    expect(page.get_by_text("a video of 2.1 s, 128×128")).to_be_visible()
    expect(page.locator("#model")).to_have_text("Demo I2V")
    expect(page.locator("#prompt")).to_have_value("a green square that is to go on")
    expect(page.get_by_role("radio", name="1:1")).to_have_count(0)
    page.reload()
    expect(page.locator("#continued")).to_be_visible()
    page.locator("#prompt").fill("the square turns back")
    generate(page)
    expect(page.locator("#finished")).to_contain_text("the square turns back")
    page.wait_for_function(PLAYS)
    seconds = page.evaluate("() => document.querySelector('#finished video').duration")
    assert seconds == pytest.approx((17 + 17 - 5) / 8, abs=0.01)
    page.get_by_role("button", name="Begin anew").click()
    expect(page.locator("#continued")).to_have_count(0)
    expect(page.get_by_role("radio", name="1:1")).to_be_visible()
