"""Start images in a real browser: transparency, the crop and its preview, refusals."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PROJECT, App, OpenPage
from tests.e2e.test_generation import expect_video, fill, generate
from wan22_app.adapters.files import read_recipe
from wan22_app.domain.catalog import Size
from wan22_app.domain.picture import covering_box

SIZES = {390: 844, 1024: 768, 1920: 1080}
WIDE = Size(width=600, height=200)


@pytest.fixture
def kites(tmp_path: Path) -> Path:
    """Something to look at: two kites over hills, cut out of their sky."""
    image = Image.new("RGBA", (3600, 1200), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((-600, 800, 2000, 2000), fill=(70, 120, 80, 255))
    draw.ellipse((1500, 700, 4300, 2100), fill=(90, 150, 100, 255))
    for left, colour in ((500, (210, 60, 60, 255)), (2500, (60, 90, 210, 255))):
        tips = ((left, 400), (left + 250, 100), (left + 500, 400), (left + 250, 850))
        draw.polygon(tips, fill=colour)
    path = tmp_path / "kites.png"
    image.save(path)
    return path


@pytest.fixture
def cut_out(tmp_path: Path) -> Path:
    """Wide and mostly transparent, with a red left and a blue right end."""
    image = Image.new("RGBA", (WIDE.width, WIDE.height), (0, 0, 0, 0))
    image.paste((220, 40, 40, 255), (0, 0, 60, 200))
    image.paste((40, 60, 220, 255), (540, 0, 600, 200))
    path = tmp_path / "cut-out.png"
    image.save(path)
    return path


def choose(page: Page, file: Path) -> None:
    page.locator("#start-image input[type=file]").set_input_files(file)
    expect(page.locator("#start-preview")).to_be_visible()


def seen(page: Page) -> Image.Image:
    """What the frame shows, without its rounded corners and border."""
    page.wait_for_function("() => document.querySelector('#start-preview')?.complete")
    shot = Image.open(io.BytesIO(page.locator("#crop-frame").screenshot())).convert("RGB")
    return shot.crop((4, shot.height // 2, shot.width - 4, shot.height // 2 + 1))


def colour(page: Page, where: int) -> tuple[int, ...]:
    pixel = seen(page).getpixel((where if where >= 0 else seen(page).width + where, 0))
    assert isinstance(pixel, tuple)
    return pixel


def test_transparency_lies_on_what_is_chosen(open_page: OpenPage, cut_out: Path) -> None:
    page = open_page()
    fill(page, "a cut-out", "Demo I2V")
    choose(page, cut_out)
    group = page.locator("#background")
    expect(group).to_contain_text("Behind what is transparent")
    before = page.locator("#start-preview").get_attribute("src")
    assert colour(page, 40) == (0, 0, 0)
    group.get_by_role("radio", name="White").click()
    expect(page.locator("#start-preview")).not_to_have_attribute("src", str(before))
    page.wait_for_function(
        "() => { const i = document.querySelector('#start-preview');"
        " return i.complete && i.naturalWidth > 0; }"
    )
    assert colour(page, 40) == (255, 255, 255)
    group.get_by_role("radio", name="Black").click()
    expect(page.locator("#start-preview")).to_have_attribute("src", str(before))


def test_an_opaque_image_has_no_such_choice(open_page: OpenPage, picture: Path) -> None:
    page = open_page()
    fill(page, "an opaque picture", "Demo I2V")
    page.locator("#advanced summary").click()
    page.locator("#width").fill("160")
    page.locator("#height").fill("90")
    choose(page, picture)
    expect(page.locator("#background")).to_have_count(0)
    expect(page.locator("#crop")).to_have_count(0)


def test_the_frame_has_the_asked_shape_and_the_chosen_part_reaches_the_engine(
    open_page: OpenPage, cut_out: Path, app: App
) -> None:
    page = open_page()
    fill(page, "the right end", "Demo I2V")
    choose(page, cut_out)
    for shape, ratio in (("16:9", 160 / 96), ("9:16", 96 / 160), ("1:1", 1.0)):
        page.get_by_role("radio", name=shape, exact=True).click()
        page.wait_for_function(
            "(ratio) => { const frame = document.querySelector('#crop-frame');"
            " const box = frame.getBoundingClientRect();"
            " return Math.abs(box.width / box.height / ratio - 1) < 0.02; }",
            arg=ratio,
        )
    assert colour(page, 2) == (0, 0, 0), "the middle of it is transparent"
    page.locator("#crop").get_by_role("radio", name="Right").click()
    expect(page.locator("#start-preview")).to_have_css("object-position", "100% 50%")
    assert colour(page, -3) == (40, 60, 220)
    generate(page)
    expect_video(page, "the right end", 128)
    newest = max(app.outputs.glob("*.mp4"), key=lambda path: path.stat().st_mtime)
    recipe = read_recipe(newest)
    assert recipe is not None
    assert recipe.request.image is not None
    assert recipe.request.image.focus == (1.0, 0.5)
    asked = Size(width=recipe.request.width, height=recipe.request.height)
    assert covering_box(WIDE, asked, 1.0, 0.5).edges == (400, 0, 600, 200)


def test_arrow_keys_move_the_part_and_a_reload_keeps_it(open_page: OpenPage, cut_out: Path) -> None:
    page = open_page()
    fill(page, "moved by keys", "Demo I2V")
    choose(page, cut_out)
    slider = page.get_by_role("slider", name="Move the part to keep")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    expect(page.locator("#start-preview")).to_have_css("object-position", "45% 50%")
    slider.press("Home")
    expect(page.locator("#start-preview")).to_have_css("object-position", "0% 50%")
    expect(page.locator("#crop").get_by_role("radio", name="Left")).to_have_attribute(
        "aria-checked", "true"
    )
    page.reload()
    expect(page.locator("#start-preview")).to_have_css("object-position", "0% 50%")


def test_a_large_moving_image_says_what_was_done_to_it(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    fill(page, "large", "Demo I2V")
    file = tmp_path / "large.gif"
    frames = [Image.new("P", (3000, 2400), number) for number in (1, 2)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    choose(page, file)
    expect(page.locator("#image-facts")).to_contain_text("2400×1920")
    expect(page.locator("#image-facts")).to_contain_text("Scaled down from 3000×2400")
    expect(page.locator("#image-facts")).to_contain_text("this is the first")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Export it as PNG"),
        ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(16), "HEIC photo"),
        ("huge.png", b"\0" * 30_000_001, "larger than 30 MB"),
    ],
)
def test_a_refusal_stands_beside_the_field_and_stays(
    open_page: OpenPage, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    page = open_page()
    fill(page, "refused", "Demo I2V")
    file = tmp_path / name
    file.write_bytes(content)
    page.locator("#start-image input[type=file]").set_input_files(file)
    expect(page.locator("#image-error")).to_contain_text(says)
    page.locator("#prompt").fill("typed afterwards")
    expect(page.locator("#verdict")).to_contain_text("starts from an image")
    expect(page.locator("#image-error")).to_contain_text(says)


@pytest.mark.slow
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("mode", ["dark", "light"])
def test_screenshots_of_the_image_field(
    open_page: OpenPage, kites: Path, width: int, mode: str
) -> None:
    page = open_page()
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.evaluate(f"() => localStorage.setItem('theme', '{mode}')")
    page.reload()
    fill(page, "a red kite turns into a blue one", "Demo I2V")
    choose(page, kites)
    page.get_by_role("radio", name="16:9", exact=True).click()
    expect(page.locator("#crop")).to_be_visible()
    page.locator("#crop").get_by_role("radio", name="Left").click()
    expect(page.locator("#start-preview")).to_have_css("object-position", "0% 50%")
    expect(page.locator("html")).to_have_class(re.compile(mode))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.locator("#crop-frame").scroll_into_view_if_needed()
    folder = PROJECT / "screenshots"
    folder.mkdir(exist_ok=True)
    file = folder / f"image-{width}-{mode}.png"
    page.screenshot(path=file)
    assert file.stat().st_size > 0


def test_the_demo_has_an_image_to_start_from(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, "a red circle moving right", "Demo I2V")
    page.get_by_role("button", name="Use an example image").click()
    expect(page.locator("#image-facts")).to_contain_text("256×256")
    expect(page.locator("#example-image")).to_have_count(0)
    generate(page)
    expect_video(page, "a red circle moving right", 128)
