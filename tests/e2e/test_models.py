"""Getting a model on the page: watched in two tabs, interrupted, gone on with."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PROJECT, App, OpenPage
from tests.fake_hub import FakeHub, Fault
from wan22_app.domain.catalog import TI2V_5B

BIG = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def no_weights_left(app: App, hub: FakeHub) -> Iterator[None]:
    """Other tests expect the demo models to be the only ones."""
    yield
    hub.faults = []
    hub.gate.set()
    shutil.rmtree(Path(app.environment["WAN22_MODELS"]) / TI2V_5B.repo.rpartition("/")[2])


def card(page: Page) -> Locator:
    """The first is the one that a real entry's key names; a stand-in has a demo's name."""
    return page.locator("#models li").first


def picture(page: Page, name: str) -> None:
    """Nothing may be wider than a phone; the pictures are for eyes."""
    (PROJECT / "screenshots").mkdir(exist_ok=True)
    for width in (390, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        page.locator("#models").screenshot(
            path=PROJECT / "screenshots" / f"models-{name}-{width}.png"
        )


@pytest.mark.slow
@pytest.mark.usefixtures("no_weights_left")
def test_a_model_is_got_interrupted_and_gone_on_with(
    app: App, hub: FakeHub, open_page: OpenPage
) -> None:
    page, other = open_page("/optimizations"), open_page("/optimizations")
    expect(card(page)).to_contain_text("about 24 GB to fetch")
    hub.gate.clear()
    hub.faults = [
        Fault("/api/models", status=403, headers={"X-Error-Code": "GatedRepo"}),
        Fault(BIG, pause_after=1_000_000),
    ]
    card(page).get_by_role("button", name="Get: TI2V-5B").click()
    expect(card(page)).to_contain_text("accepted its terms")
    picture(page, "failed")
    card(page).get_by_role("button", name="Try again: TI2V-5B").click()
    for tab in (page, other):
        expect(card(tab)).to_contain_text("on its way")
        expect(card(tab)).to_contain_text(re.compile(r"3\.2 of \d\.\d MB"))
        expect(card(tab).get_by_role("progressbar", name="Progress of TI2V-5B")).to_be_visible()
    picture(page, "on-their-way")
    card(other).get_by_role("button", name="Cancel: TI2V-5B").click()
    expect(card(page)).to_contain_text("came before and are kept")
    hub.gate.set()
    before = hub.served[BIG]
    card(page).get_by_role("button", name="Try again: TI2V-5B").click()
    expect(card(page).get_by_text("ready", exact=True)).to_be_visible()
    expect(card(other)).to_contain_text("on the disk")
    assert hub.served[BIG] - before < hub.files()[BIG].stat().st_size - 500_000
    assert hub.tokens == {""}
    assert (Path(app.environment["WAN22_MODELS"]) / "Wan2.2-TI2V-5B-Diffusers").is_dir()
