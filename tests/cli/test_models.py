"""``wan22 models``, run as a person runs it, against a hub on loopback."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_hub import FakeHub, Fault, serving, stand_in
from tests.isolation.conftest import until
from wan22_app.domain.catalog import TI2V_5B

Wan22 = Callable[..., subprocess.CompletedProcess[str]]
BIG = "transformer/diffusion_pytorch_model.safetensors"
TOKEN = "hf_aSecretThatNobodyMayFindAnywhere"


@pytest.fixture
def hub(tmp_path: Path, demo_models: Path, installation: dict[str, str]) -> Iterator[FakeHub]:
    """The installation's own hub, and an empty models folder to fill from it."""
    with serving(FakeHub({TI2V_5B.repo: stand_in(demo_models, tmp_path / "repository")})) as hub:
        installation |= {
            "WAN22_MODELS": str(tmp_path / "models"),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DOWNLOAD_TIMEOUT": "100",
        }
        yield hub


def test_models_are_listed_with_state_and_size(wan22: Wan22) -> None:
    done = wan22("models")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "not here" in lines["ti2v-5b"]
    assert "24.2 GB" in lines["ti2v-5b"]
    assert "ready" in lines["demo-t2v"]
    rows = [json.loads(line) for line in wan22("models", "--json").stdout.splitlines()]
    assert {row["model"] for row in rows} == set(lines)
    assert all(row["bytes"] > 0 for row in rows)


def test_a_model_is_fetched_and_the_token_stays_where_it_belongs(
    wan22: Wan22, hub: FakeHub, tmp_path: Path
) -> None:
    done = wan22("models", "get", "ti2v-5b", "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["state"] == "ready"
    assert Path(line["folder"]) == (tmp_path / "models" / "Wan2.2-TI2V-5B-Diffusers").resolve()
    assert hub.tokens == {f"Bearer {TOKEN}"}, hub.requests
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    again = wan22("models", "get", "ti2v-5b")
    assert again.returncode == 0
    assert "is ready in" in again.stdout


def test_a_failure_says_why_and_what_to_do(wan22: Wan22, hub: FakeHub) -> None:
    hub.faults = [Fault("/api/", times=9, status=403, headers={"X-Error-Code": "GatedRepo"})]
    done = wan22("models", "get", "ti2v-5b", "--json")
    assert done.returncode == 1
    assert "accepted its terms" in done.stderr
    assert json.loads(done.stdout)["problem"]["code"] == "hub_gated"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("key", "words"), [("nonsense", "no model"), ("demo-t2v", "wan22_app.demo")]
)
def test_what_no_hub_has_is_refused(wan22: Wan22, hub: FakeHub, key: str, words: str) -> None:
    done = wan22("models", "get", key)
    assert done.returncode == 2
    assert words in done.stderr
    assert hub.requests == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for one process there")
def test_ctrl_c_cancels_and_keeps_what_came(
    wan22: Wan22, hub: FakeHub, installation: dict[str, str], tmp_path: Path
) -> None:
    import signal

    hub.faults = [Fault(BIG, pause_after=1_000_000)]
    command = [sys.executable, "-m", "wan22_app.cli", "models", "get", "ti2v-5b"]
    process = subprocess.Popen(command, env=installation, cwd=tmp_path)
    until(lambda: hub.served[BIG] >= 1_000_000, "the first megabyte")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    hub.gate.set()
    rows = [json.loads(line) for line in wan22("models", "--json").stdout.splitlines()]
    (row,) = [row for row in rows if row["model"] == "ti2v-5b"]
    assert (row["state"], row["download"]["state"]) == ("missing", "cancelled")
    before = hub.served[BIG]
    assert wan22("models", "get", "ti2v-5b").returncode == 0
    assert hub.served[BIG] - before < hub.files()[BIG].stat().st_size
