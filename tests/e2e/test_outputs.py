"""The outputs page as a new user meets it: looking, finding, sorting out, going on from a video."""

import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect
from sqlmodel import Session

from tests.e2e.conftest import PROJECT, App, OpenPage
from tests.e2e.test_generation import fill, generate
from tests.values import a_request
from wan22_app.adapters.db.counters import NUMBER, changed, next_value
from wan22_app.adapters.db.engine import create_engine, write
from wan22_app.adapters.db.rows import row_of
from wan22_app.adapters.db.tables import JobRow
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import DEMO_T2V, DEMO_TI2V
from wan22_app.domain.job import JobState
from wan22_app.domain.output import Output

COUNT = 90
FPS, FRAMES = 8, 12
WIDTH, HEIGHT = 160, 96
THINGS = ("kite", "boat", "fox", "lamp")


def tiny_video(path: Path) -> None:
    """Each frame brighter than the one before."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            picture = np.full((HEIGHT, WIDTH, 3), 20 + n * 18, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def poster(path: Path, number: int) -> None:
    hue = (number * 37) % 360
    image = Image.new("HSV", (WIDTH, HEIGHT), (hue * 255 // 360, 120, 150)).convert("RGB")
    ImageDraw.Draw(image).text((8, 8), str(number), fill="white")
    image.save(path, "WEBP")


def past_output(number: int) -> Output:
    """Of last year, so that it lies below what other tests have made."""
    spec = DEMO_TI2V if number % 10 == 0 else DEMO_T2V
    prompt = f"sample {number:03} of a {THINGS[number % 4]}"
    output_id = uuid.uuid4().hex
    return Output(
        id=output_id,
        owner=LOCAL_PERSON.id,
        request=a_request(spec, prompt=prompt, frames=FRAMES, fps=FPS),
        video=f"{output_id}.mp4",
        poster=f"{output_id}.webp",
        width=WIDTH,
        height=HEIGHT,
        frames=FRAMES,
        fps=FPS,
        bytes=1,
        sha256="0" * 64,
        latents_sha256="1" * 64,
        seconds={"denoising": 1.0},
        created_at=datetime.now(UTC) - timedelta(days=365, seconds=-number),
    )


def insert(session: Session, output: Output) -> None:
    """Finished from the start: a running job would be rescued by the dispatcher."""
    number = next_value(session, NUMBER)
    session.add(
        JobRow(
            id=output.id,
            number=number,
            place=number,
            owner=output.owner,
            key=output.id,
            request=output.request.model_dump_json(),
            state=JobState.SUCCEEDED,
            created_at=output.created_at,
            finished_at=output.created_at,
        )
    )
    session.flush()
    session.add(row_of(output))


@pytest.fixture(scope="module")
def many(app: App, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ids of 90 outputs, oldest first."""
    source = tmp_path_factory.mktemp("tiny") / "tiny.mp4"
    tiny_video(source)
    made = [past_output(n) for n in range(COUNT)]
    for n, output in enumerate(made):
        shutil.copy(source, app.outputs / output.video)
        poster(app.outputs / output.poster, n)

    def work(session: Session) -> None:
        for output in made:
            insert(session, output)
        changed(session)

    engine = create_engine(f"sqlite:///{(app.data / 'wan22.sqlite').as_posix()}")
    write(engine, work)
    engine.dispose()
    return [output.id for output in made]


@pytest.fixture
def page(open_page: OpenPage, many: list[str]) -> Iterator[Page]:
    """The outputs page with its first tiles."""
    page = open_page("/outputs")
    expect(tiles(page).first).to_be_visible()
    yield page


def tiles(page: Page) -> Locator:
    return page.locator("#gallery .wan-tile")


def search(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Words in the prompt").fill(words)


def open_tile(page: Page, words: str) -> Locator:
    """Find a video by its words and open it; returns what opened."""
    search(page, words)
    expect(tiles(page)).to_have_count(1)
    tiles(page).locator(".wan-open").click()
    detail = page.locator("#detail")
    expect(detail).to_contain_text(words)
    return detail


def pause_at_start(page: Page) -> None:
    """Stop the open video at its first frame, from where steps can be counted."""
    page.wait_for_function("() => document.querySelector('#detail video')?.readyState >= 2")
    page.evaluate(
        "() => { const v = document.querySelector('#detail video');"
        " v.pause(); v.currentTime = 0.01; }"
    )
    expect(page.locator("#frame-number")).to_have_text(f"Frame 1 of {FRAMES}")


def choose(page: Page, trigger: str, option: str) -> None:
    page.locator(trigger).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_older_videos_come_while_one_scrolls(page: Page) -> None:
    expect(tiles(page)).to_have_count(40)
    labels = (
        tiles(page)
        .locator(".wan-open")
        .evaluate_all(
            "all => all.map(each => each.ariaLabel).filter(text => text.includes('sample'))"
        )
    )
    assert labels == sorted(labels, reverse=True), "newest first"
    tiles(page).last.scroll_into_view_if_needed()
    expect(tiles(page)).to_have_count(80)
    tiles(page).last.scroll_into_view_if_needed()
    expect(page.locator('#gallery [aria-label="Open: sample 000 of a kite"]')).to_be_attached()
    expect(page.locator("#load-more")).to_have_count(0)


def test_words_models_and_stars_narrow_the_grid(page: Page) -> None:
    search(page, "BOAT sample")
    expect(page.locator("#count")).to_have_text("23 videos")
    search(page, "kite sample")
    choose(page, "#made-with", "Demo TI2V")
    expect(page.locator("#count")).to_have_text("5 videos")
    star = tiles(page).first.get_by_role("button", name="Make a favourite")
    star.click()
    expect(tiles(page).first.get_by_role("button", name="No longer a favourite")).to_be_attached()
    choose(page, "#shelf", "favourites")
    expect(tiles(page)).to_have_count(1)
    tiles(page).first.get_by_role("button", name="No longer a favourite").click()
    expect(page.get_by_text("No video fits this")).to_be_visible()
    page.get_by_role("button", name="Show all videos").click()
    expect(tiles(page)).to_have_count(40)
    expect(page.get_by_role("searchbox")).to_have_value("")
    search(page, "100% nowhere _")
    expect(page.get_by_text("No video fits this")).to_be_visible()


def test_deleting_can_be_undone_and_the_bin_can_be_emptied(page: Page, app: App) -> None:
    for words in ("sample 011", "sample 015"):
        open_tile(page, words).get_by_role("button", name="Delete").click()
        expect(tiles(page)).to_have_count(0)
        expect(page.locator("#detail")).to_have_count(0)
    page.get_by_role("button", name="Undo").first.click()
    expect(tiles(page)).to_have_count(1)
    search(page, "")
    choose(page, "#shelf", "the bin")
    expect(tiles(page)).to_have_count(1)
    tiles(page).first.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("The bin is empty")).to_be_visible()
    choose(page, "#shelf", "all videos")
    open_tile(page, "sample 011").get_by_role("button", name="Delete").click()
    expect(tiles(page)).to_have_count(0)
    search(page, "")
    choose(page, "#shelf", "the bin")
    before = len(list(app.outputs.glob("*.mp4")))
    page.get_by_role("button", name="Empty the bin").click()
    page.get_by_role("button", name="Keep").click()
    expect(tiles(page)).to_have_count(1)
    page.get_by_role("button", name="Empty the bin").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Empty the bin").click()
    expect(page.get_by_text("Removed for good: 1")).to_be_visible()
    expect(page.get_by_text("The bin is empty")).to_be_visible()
    assert len(list(app.outputs.glob("*.mp4"))) == before - 1


def test_a_video_opens_beside_the_grid_and_moves_by_frames(page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    detail = open_tile(page, "sample 020")
    search(page, "")
    grid, side = page.locator("#gallery").bounding_box(), detail.bounding_box()
    assert grid is not None
    assert side is not None
    assert side["x"] >= grid["x"] + grid["width"], "beside the grid, not over it"
    pause_at_start(page)
    page.locator("#frame-number").click()  # out of the search box, where a dot is a dot
    page.keyboard.press(".")
    expect(page.locator("#frame-number")).to_have_text(f"Frame 2 of {FRAMES}")
    page.get_by_role("button", name="One frame on").click()
    expect(page.locator("#frame-number")).to_have_text(f"Frame 3 of {FRAMES}")
    page.keyboard.press(",")
    expect(page.locator("#frame-number")).to_have_text(f"Frame 2 of {FRAMES}")
    expect(detail).to_contain_text("Negative prompt")
    expect(detail).to_contain_text("Seed")
    loop = page.get_by_role("button", name="Loop")
    expect(loop).to_have_attribute("aria-pressed", "true")
    loop.click()
    expect(loop).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_walks_through_and_closes(page: Page) -> None:
    search(page, "fox")
    expect(page.locator("#count")).to_have_text("22 videos")
    opens = tiles(page).locator(".wan-open")
    opens.nth(0).focus()
    page.keyboard.press("Enter")
    detail = page.locator("#detail")
    expect(detail).to_contain_text("sample 086")
    page.keyboard.press("ArrowRight")
    expect(detail).to_contain_text("sample 082")
    page.keyboard.press("ArrowLeft")
    expect(detail).to_contain_text("sample 086")
    page.keyboard.press("ArrowDown")
    expect(detail).not_to_contain_text("sample 086")
    page.keyboard.press("Escape")
    expect(detail).to_have_count(0)
    expect(tiles(page).first).to_be_visible()


def test_the_page_works_when_it_is_reached_by_its_link(
    open_page: OpenPage, many: list[str]
) -> None:
    page = open_page("/")
    for _ in range(2):
        page.get_by_role("link", name="Outputs").click()
        expect(tiles(page)).to_have_count(40)
        tiles(page).last.scroll_into_view_if_needed()
        expect(tiles(page)).to_have_count(80)
        page.locator('#gallery [aria-label^="Open: sample"]').first.click()
        pause_at_start(page)
        page.keyboard.press(".")
        # Exactly one step: a script that was started twice would make two.
        expect(page.locator("#frame-number")).to_have_text(f"Frame 2 of {FRAMES}")
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_have_count(0)
        page.get_by_role("link", name="Queue").click()
        expect(page.locator("#outputs")).to_have_count(0)


def test_a_poster_plays_under_the_pointer_and_only_there(page: Page) -> None:
    tiles(page).nth(20).scroll_into_view_if_needed()
    tiles(page).nth(20).hover()
    playing = page.locator("#gallery .wan-hover video")
    expect(playing).to_have_count(1)
    page.wait_for_function("() => document.querySelector('.wan-hover video')?.currentTime > 0")
    assert playing.evaluate("video => video.muted")
    tiles(page).nth(21).hover()
    expect(tiles(page).nth(21).locator(".wan-hover video")).to_have_count(1)
    expect(playing).to_have_count(1)
    page.get_by_role("heading", name="Outputs").hover()
    expect(playing).to_have_count(0)
    page.emulate_media(reduced_motion="reduce")
    tiles(page).nth(20).hover()
    tiles(page).nth(20).locator(".wan-open").focus()
    expect(tiles(page).nth(20).locator(".wan-open")).to_be_focused()
    expect(playing).to_have_count(0)


def test_a_frame_becomes_the_start_image(page: Page) -> None:
    detail = open_tile(page, "sample 031")
    page.wait_for_function("() => document.querySelector('#detail video').readyState >= 2")
    page.evaluate("() => { const v = document.querySelector('#detail video');"
                  " v.pause(); v.currentTime = 6.5 / 8; }")  # fmt: skip
    expect(page.locator("#frame-number")).to_have_text(f"Frame 7 of {FRAMES}")
    detail.get_by_role("button", name="Use this frame as start image").click()
    expect(page).to_have_url(re.compile("/$"))
    preview = page.locator("#start-preview")
    expect(preview).to_be_visible()
    shade = """() => {
      const image = document.querySelector('#start-preview');
      if (!image || !image.complete || !image.naturalWidth) { return -1; }
      const canvas = document.createElement('canvas');
      canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      return context.getImageData(80, 48, 1, 1).data[0];
    }"""
    page.wait_for_function(f"() => ({shade})() >= 0")
    assert abs(page.evaluate(shade) - (20 + 6 * 18)) <= 4, "the very frame that was shown"
    expect(page.locator("#model")).to_contain_text("I2V")


def test_a_file_removed_by_hand_is_said_on_its_card(page: Page, many: list[str], app: App) -> None:
    (app.outputs / f"{many[40]}.mp4").unlink()
    detail = open_tile(page, "sample 040")
    expect(tiles(page).first).to_contain_text("File is gone")
    expect(detail).to_contain_text("removed from the outputs folder")
    expect(detail.get_by_role("button", name="Use these settings")).to_be_visible()
    expect(detail.get_by_role("button", name="Use this frame")).to_have_count(0)


@pytest.mark.slow
def test_a_new_video_appears_without_a_reload_and_its_recipe_makes_an_equal_one(
    page: Page, open_page: OpenPage, app: App, tmp_path: Path
) -> None:
    maker = open_page()
    fill(maker, "a recipe to repeat")
    maker.locator("#seed").fill("77")
    generate(maker)
    expect(maker.locator("#finished")).to_contain_text("a recipe to repeat")
    newest = tiles(page).first.locator(".wan-open")
    expect(newest).to_have_attribute("aria-label", "Open: a recipe to repeat")
    newest.click()
    detail = page.locator("#detail")
    for name in ("Seed", "77", "Plan", "Weights", "Versions", "Device", "Time", "denoise"):
        expect(detail.locator(".wan-recipe")).to_contain_text(name)
    with page.expect_download() as download:
        detail.locator("#download").click()
    assert download.value.suggested_filename.startswith("a-recipe-to-repeat-")
    saved = tmp_path / "saved.mp4"
    download.value.save_as(saved)
    made = set(app.outputs.glob("*.mp4"))
    page.locator("#recipe-file").set_input_files(saved)
    brought = page.locator("#brought")
    expect(brought).to_contain_text("Recipe in saved.mp4")
    expect(brought.locator("#differences")).to_contain_text("Everything that it needs is here")
    brought.get_by_role("button", name="Use these settings").click()
    expect(page.locator("#prompt")).to_have_value("a recipe to repeat")
    expect(page.locator("#seed")).to_have_value("77")
    generate(page)
    expect(page.locator("#live-card, #finished")).to_be_visible()
    page.goto(app.url + "/outputs")
    search(page, "a recipe to repeat")
    expect(tiles(page)).to_have_count(2)
    (again,) = set(app.outputs.glob("*.mp4")) - made
    assert again.read_bytes() == saved.read_bytes()


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file onto the middle of the page, as from a file manager."""
    page.evaluate(
        """([name, bytes]) => {
          const carrier = new DataTransfer();
          carrier.items.add(new File([new Uint8Array(bytes)], name));
          const target = document.querySelector('#gallery');
          for (const kind of ['dragover', 'drop']) {
            target.dispatchEvent(new DragEvent(kind, { bubbles: true, dataTransfer: carrier }));
          }
        }""",
        [name, list(data)],
    )


def test_what_carries_no_recipe_says_so(page: Page, many: list[str], app: App) -> None:
    brought = page.locator("#brought")
    drop(page, "notes.mp4", b"these are notes, not a video")
    expect(brought).to_contain_text("This is no mp4 video")
    drop(page, "tiny.mp4", (app.outputs / f"{many[5]}.mp4").read_bytes())
    expect(brought).to_contain_text("There is no recipe in this video")
    drop(page, "cut.mp4", (app.outputs / f"{many[5]}.mp4").read_bytes()[:40])
    expect(brought).to_contain_text("damaged or cut short")
    page.keyboard.press("Escape")
    expect(brought).to_have_count(0)


def test_a_deleted_video_leaves_no_broken_player_behind(
    open_page: OpenPage, many: list[str]
) -> None:
    maker = open_page()
    fill(maker, "soon deleted")
    generate(maker)
    expect(maker.locator("#finished")).to_contain_text("soon deleted")
    watcher = open_page()
    watcher.locator("#results").get_by_role("button", name="soon deleted").click()
    expect(watcher.locator("#result")).to_contain_text("soon deleted")
    page = open_page("/outputs")
    open_tile(page, "soon deleted").get_by_role("button", name="Delete").click()
    expect(tiles(page)).to_have_count(0)
    expect(maker.locator("#finished")).to_have_count(0)
    expect(watcher.locator("#result")).to_have_count(0)
    maker.reload()
    expect(maker.locator("#stage-empty")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1024, 1920])
@pytest.mark.parametrize("mode", ["dark", "light"])
def test_screenshots_of_an_open_video(page: Page, width: int, mode: str) -> None:
    """Nothing may be wider than the window; the pictures are for eyes."""
    page.set_viewport_size({"width": width, "height": {390: 844, 1024: 768, 1920: 1080}[width]})
    page.evaluate(f"() => localStorage.setItem('theme', '{mode}')")
    page.reload()
    expect(tiles(page).first).to_be_visible()
    folder = PROJECT / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"outputs-grid-{width}-{mode}.png")
    tiles(page).nth(1).locator(".wan-open").click()
    expect(page.locator("#detail")).to_be_visible()
    page.wait_for_function("() => document.querySelector('#detail video').readyState >= 2")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.screenshot(path=folder / f"outputs-open-{width}-{mode}.png")
