"""``python -m benchmarks.start``: how long a second start takes.

Times ``launch.py setup`` when everything is there, and ``wan22 run`` from the command to the page
that a browser can use, in this checkout with folders of its own. Run ``python3 launch.py setup``
once before. Writes ``benchmarks/results/start.json``.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.report import publish
from tests.server import PROJECT, answers, free_port

PATIENCE_S = 120.0


def main() -> int:
    """Measure and report."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "launch.py", "setup"], cwd=PROJECT, check=True)
    setup = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        start_app(Path(folder))  # compiles the pages, as any first start does
        usable = start_app(Path(folder))
    report = {"launch.py_setup_again_s": round(setup, 1), "run_again_to_page_s": round(usable, 1)}
    publish("start", report)
    return 0


def start_app(base: Path) -> float:
    """Seconds from the command until the health check and the page's HTML are answered."""
    port = free_port()
    environment = {
        **os.environ,
        **{f"WAN22_{name.upper()}": str(base / name) for name in ("data", "outputs", "loras")},
        "WAN22_FRONTEND_PORT": str(port),
    }
    url = f"http://localhost:{port}"
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "wan22_app.cli", "run"],
        cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not answers(url) and time.perf_counter() - begin < PATIENCE_S:
            time.sleep(0.05)
        with urllib.request.urlopen(url, timeout=10) as page:
            page.read()
        return time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
