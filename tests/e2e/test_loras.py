"""LoRAs on the form: a list with strengths, and consent where a file fits in part only."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import App, OpenPage
from tests.e2e.test_generation import expect_video, fill, generate
from tests.tensors import tensors
from wan22_app.bootstrap import Services
from wan22_app.domain.account import LOCAL_PERSON

QUERY = "diffusion_model.blocks.{}.self_attn.q"


def lora(path: Path, block: int, **extra: tuple[int, ...]) -> None:
    key = QUERY.format(block)
    shapes = {f"{key}.lora_A.weight": (4, 128), f"{key}.lora_B.weight": (128, 4)}
    tensors(path, {**shapes, **{f"{key}.{name}": shape for name, shape in extra.items()}})


def add(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Add a LoRA").click()
    page.get_by_role("option", name=name, exact=True).click()


def test_two_loras_are_chosen_weighed_and_used(
    open_page: OpenPage, app: App, services: Services
) -> None:
    folder = Path(app.environment["WAN22_LORAS"])
    lora(folder / "paint.safetensors", 0)
    lora(folder / "grain_high_noise.safetensors", 1)
    lora(folder / "grain_low_noise.safetensors", 1)
    lora(folder / "part.safetensors", 2, diff_b=(128,))
    page = open_page("/")
    fill(page, "a red ball")
    page.locator("#advanced > summary").click()
    rows = page.locator("#lora-rows li")
    add(page, "paint.safetensors")
    expect(rows).to_have_count(1)
    add(page, "grain_*_noise.safetensors")
    expect(rows).to_have_count(2)
    strength = page.get_by_role("textbox", name="Strength: grain_*_noise.safetensors")
    strength.fill("nine")
    expect(page.locator("#loras-error")).to_contain_text("from -4 to 4")
    strength.fill("0.5")
    expect(page.locator("#loras-error")).to_have_count(0)

    add(page, "part.safetensors")
    expect(page.locator("#loras-error")).to_contain_text("has no place for 1 of the 3 tensors")
    rows.nth(2).get_by_role("checkbox").click()
    expect(page.locator("#loras-error")).to_have_count(0)
    page.get_by_role("button", name="Take off: paint.safetensors").click()
    expect(rows).to_have_count(2)

    generate(page)
    expect_video(page, "a red ball")
    (job,) = services.queue.ended(LOCAL_PERSON, limit=1)
    assert [(ref.file, ref.expert, ref.strength) for ref in job.request.loras] == [
        ("grain_high_noise.safetensors", "high", 0.5),
        ("grain_low_noise.safetensors", "low", 0.5),
        ("part.safetensors", "both", 1.0),
    ]
