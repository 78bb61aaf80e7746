"""The app as people start it, in production mode, and a real Chromium."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.fake_hub import FakeHub, serving, stand_in
from wan22_app import bun
from wan22_app.bootstrap import Services, build_services
from wan22_app.demo import provide
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.catalog import TI2V_5B
from wan22_app.settings import Settings

PROJECT = Path(__file__).parents[2]
LEFT_OUT = {
    ".bun", ".git", ".states", ".venv", ".web", ".hypothesis", ".pytest_cache", ".ruff_cache",
    "data", "loras", "models", "node_modules", "outputs", "screenshots", "tests",
}  # fmt: skip
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000
START_S = 180.0


@dataclass(frozen=True)
class App:
    """A running app and its folders."""

    url: str
    data: Path
    outputs: Path
    environment: dict[str, str]
    root: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def left_out(folder: str, names: list[str]) -> set[str]:
    skip = {name for name in names if name == "__pycache__"}
    return skip | LEFT_OUT.intersection(names) if Path(folder) == PROJECT else skip


@pytest.fixture(scope="session")
def hub() -> Iterator[FakeHub]:
    """The only hub that the app under test knows; its repository comes with the demo models."""
    with serving(FakeHub({})) as served:
        yield served


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Iterator[App]:
    """Build and serve a copy of the project with folders of its own."""
    base = tmp_path_factory.mktemp("app")
    root, port = base / "project", free_port()
    shutil.copytree(PROJECT, root, ignore=left_out)
    found = bun.find(PROJECT)
    environment = {
        **os.environ,
        **{f"WAN22_{name.upper()}": str(base / name) for name in ("data", "outputs", "loras")},
        "WAN22_MODELS": str(base / "models"),
        "WAN22_FRONTEND_PORT": str(port),
        "PYTHONPATH": str(root),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(base / "hf"),
        "HF_HUB_DOWNLOAD_TIMEOUT": "100",
        **({"REFLEX_BUN_PATH": str(found[0])} if found else {}),
    }
    provide(base / "models")
    hub.repos[TI2V_5B.repo] = stand_in(base / "models", base / "repository")
    log = base / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "wan22_app.cli", "run"],
            cwd=root, env=environment, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://localhost:{port}"
    try:
        wait_for(url, process, log)
        yield App(url, base / "data", base / "outputs", environment, root)
    finally:
        end(process, str(base / "data"))


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the app did not start:\n{log.read_text()[-4000:]}")


def end(process: subprocess.Popen[bytes], data: str) -> None:
    """Politely, then everything that belongs to this installation."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
    for each in psutil.process_iter(["environ"]):
        if (each.info["environ"] or {}).get("WAN22_DATA") == data:
            each.kill()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    chromium = os.environ.get("WAN22_CHROMIUM") or shutil.which("chromium")
    return {**browser_type_launch_args, "executable_path": chromium, "args": ARGUMENTS}


@pytest.fixture(autouse=True)
def patience(context: BrowserContext) -> None:
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(app: App, context: BrowserContext) -> Iterator[OpenPage]:
    """Open a page; any error in a console fails the test at its end."""
    faults: list[str] = []

    def open_one(route: str = "/", page: Page | None = None) -> Page:
        page = page or context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: faults.append(message.text) if message.type == "error" else None,
        )
        page.goto(app.url + route)
        return page

    yield open_one
    assert faults == []


@pytest.fixture
def services(app: App) -> Iterator[Services]:
    """The services over the running app's folders; the queue is left empty and not paused."""
    built = build_services(
        Settings.model_validate(
            {"data": app.data, "outputs": app.outputs, "models": app.environment["WAN22_MODELS"],
             "loras": app.environment["WAN22_LORAS"]}
        )
    )  # fmt: skip
    yield built
    built.queue.pause_all(LOCAL_PERSON, paused=False)
    for job in built.queue.active(LOCAL_PERSON):
        built.queue.cancel(LOCAL_PERSON, job.id)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    image = Image.new("RGB", (320, 180), "navy")
    image.paste("orange", (100, 40, 220, 140))
    image.save(path)
    return path
