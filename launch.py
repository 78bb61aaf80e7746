"""Sets wan22_app up and starts it, or passes its tests. Standard library only.

    python3 launch.py               set up and start
    python3 launch.py setup         only set up
    python3 launch.py test [--all]  set up and run the tests; --all adds the slow ones

Safe to run again: each step is done once and again only when its input changes.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from wan22_app import bun, demo

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
STAMPS = VENV / "wan22-setup.json"
LOG = VENV / "wan22-setup.log"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST, NEWEST = (3, 11), (3, 13)
TORCH = "torch==2.13.0"
BESIDE_EACH_OTHER = [
    "--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal", "--timeout=300",
]  # fmt: skip
ALONE = ["tests/isolation", "tests/e2e"]
"""They start and kill whole installations, with an engine on every core and a browser."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Set up, start or test wan22_app.")
    parser.add_argument("command", nargs="?", choices=("start", "setup", "test"), default="start")
    parser.add_argument(
        "--all", action="store_true", help="test: the slow ones too, all but the long"
    )
    args, rest = parser.parse_known_args()
    try:
        set_up()
        if args.command == "test":
            return run_tests(everything=args.all, rest=rest)
        if args.command == "start":
            return start(rest)
    except Trouble as trouble:
        say(str(trouble))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


class Trouble(Exception):
    """Something that a person must mend; the text says how."""


def say(text: str) -> None:
    """One line for each thing that is done."""
    print(f"launch: {text}", flush=True)


def set_up() -> None:
    """Everything between a fresh clone and a running app."""
    require_python()
    make_environment()
    lock = PROJECT / "requirements.lock"
    pip = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet")
    # Torch first and by plain pip, so that a configured folder or index decides which build.
    once("torch", TORCH, "installing torch (the largest part)", [*pip, TORCH])
    # Complete and exact, hence without dependencies: nothing may swap the torch just installed.
    locked = [*pip, "--no-deps", "--require-hashes", "-r", str(lock)]
    once("libraries", text_of(lock), "installing the libraries", locked)
    package = [*pip, "--no-deps", "--no-build-isolation", "-e", str(PROJECT)]
    once("package", text_of(PROJECT / "pyproject.toml"), "installing the app itself", package)
    provide_bun()
    say("bringing the database up to date")
    run_python("-m", "wan22_app.cli", "migrate")
    provide_demo()


def require_python() -> None:
    """Refuse versions for which no wheels are locked."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        have = ".".join(map(str, sys.version_info[:3]))
        wanted = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        raise Trouble(f"Python {have} is not supported. Run this with Python {wanted}.")


def make_environment() -> None:
    """A virtual environment of the project's own; a half-made one is made again."""
    check = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    works = (
        PYTHON.exists()
        and not subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode
    )
    if works:
        return
    say("creating the environment in .venv")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False
    )
    if made.returncode:
        cure = "On Debian and Ubuntu: apt install python3-venv."
        raise Trouble(f"The environment could not be created. {cure}\n{made.stdout}{made.stderr}")


def once(step: str, made_from: str, text: str, arguments: list[str]) -> None:
    """Run Python with these arguments unless that was done with the same input.

    The stamp is written after the step: a killed step is done again.
    """
    stamps = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    digest = hashlib.sha256(f"{made_from}{sys.version_info[:2]}".encode()).hexdigest()
    if stamps.get(step) == digest:
        return
    say(text)
    run_python(*arguments)
    stamps[step] = digest
    part = STAMPS.with_suffix(".part")
    part.write_text(json.dumps(stamps))
    part.replace(STAMPS)


def text_of(path: Path) -> str:
    """Content of an input file."""
    return path.read_text(encoding="utf-8")


def run_python(*arguments: str) -> None:
    """Run the environment's Python; its words go to a log whose end is shown on failure."""
    with LOG.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [PYTHON, *arguments], cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        tail = "\n".join(LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        step = " ".join(arguments[:4])
        raise Trouble(f"A step failed: {step}\n{tail}\nMend that and run this again.")


def provide_bun() -> None:
    """The JavaScript runtime: on PATH, else from npm, else Reflex fetches it at the first start."""
    if bun.find(PROJECT):
        return
    npm = shutil.which("npm")
    if npm is None:
        say("no bun and no npm: Reflex will fetch bun at its first start")
        return
    say("installing bun with npm into .bun")
    place = ["--prefix", str(PROJECT / bun.FOLDER)]
    command = [npm, "install", *place, "--no-audit", "--no-fund", bun.PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not bun.find(PROJECT):
        say(f"npm could not install bun; Reflex will try. {done.stderr.strip()[-300:]}")


def provide_demo() -> None:
    """The demo checkpoints where the models are: in this folder they come with the project."""
    try:
        copied = demo.provide(models_folder())
    except (demo.NotShipped, OSError) as error:
        raise Trouble(str(error)) from error
    if copied:
        say(f"copied the demo checkpoints: {', '.join(copied)}")


def models_folder() -> Path:
    """Where the app's own settings put the weights: the environment, config.json or the default."""
    code = "from wan22_app.settings import Settings; print(Settings().models)"
    done = subprocess.run(
        [PYTHON, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Trouble(done.stderr.strip().splitlines()[-1])
    return Path(done.stdout.strip())


def start(rest: list[str]) -> int:
    """Hand over to the app, which prints its address."""
    say("starting")
    command = [str(PYTHON), "-m", "wan22_app.cli", "run", *rest]
    process = subprocess.Popen(command, cwd=PROJECT)
    # Without this a plain kill would end us and leave the app running, ownerless.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the app got it too, and is ending


def run_tests(*, everything: bool, rest: list[str]) -> int:
    """Run pytest: most tests on every core, then those that need the machine for themselves."""
    environment = {**os.environ, "WAN22_CHROMIUM": find_browser()}
    markers = "not gpu and not long" if everything else "not slow and not gpu"
    apart = [f"--ignore={folder}" for folder in ALONE]
    codes = []
    # A worker for each core: with more threads of torch they would wait for each other.
    one_thread = {**environment, "OMP_NUM_THREADS": "1"}
    for around, share in ((one_thread, [*BESIDE_EACH_OTHER, *apart]), (environment, ALONE)):
        say(f"running the tests ({markers}): {' '.join(share)}")
        command = [str(PYTHON), "-m", "pytest", "-m", markers, *share, *rest]
        codes.append(subprocess.run(command, cwd=PROJECT, env=around, check=False).returncode)
    return max(codes)


def find_browser() -> str:
    """A Chromium for the browser tests: on PATH, Playwright's own, or from Debian."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None) or playwrights_own()
    if found:
        return found
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        say("installing chromium with apt-get")
        for words in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run([apt, *words], capture_output=True, check=False)
        found = shutil.which("chromium")
    if not found:
        cure = f"Install Chromium, or run: {PYTHON} -m playwright install chromium"
        raise Trouble(f"The browser tests need Chromium, and none was found. {cure}")
    return found


def playwrights_own() -> str | None:
    """The browser that Playwright has installed, if it has."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


if __name__ == "__main__":
    sys.exit(main())
