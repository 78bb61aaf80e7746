"""Ways to compute attention: tried before they are used, and only the ones that pass."""

import json
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models import attention_dispatch
from diffusers.models.attention_dispatch import AttentionBackendName

from tests.engine.conftest import Generate, Make
from wan22_app.domain.attention import BACKENDS, MOST_ERROR
from wan22_app.domain.catalog import Attention
from wan22_app.domain.events import Event, Failed
from wan22_app.domain.plan import Device
from wan22_app.domain.trials import Trials, Tried
from wan22_app.domain.watch import STARTING_S
from wan22_app.engine.attention import NAMES, tried, use
from wan22_app.engine.engine import Engine
from wan22_app.engine.lean import Lean
from wan22_app.engine.trials import PATIENCE_S, in_a_process, trials
from wan22_app.engine.versions import libraries

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_every_way_has_a_name_in_diffusers() -> None:
    assert NAMES.keys() == BACKENDS.keys()
    known = {each.value for each in AttentionBackendName}
    assert set(NAMES.values()) <= known


def test_torchs_own_passes() -> None:
    found = tried("native", CPU)
    assert found.passed
    assert found.error is not None
    assert 0 < found.error < MOST_ERROR[False] / 2, "bf16 alone"


@pytest.mark.parametrize("name", ["flash", "flash3", "sage", "xformers"])
def test_what_is_not_there_is_a_reason_and_no_crash(name: Attention) -> None:
    found = tried(name, CPU)
    assert not found.passed
    assert found.why


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A library in sage's place whose results are off by so much."""
    off: list[float] = []

    def compute(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **_: Any) -> Any:
        parts = [part.transpose(1, 2) for part in (query, key, value)]
        found = torch.nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2)
        return found * (1 + off[0])

    registry = attention_dispatch._AttentionBackendRegistry
    monkeypatch.setitem(registry._backends, AttentionBackendName.SAGE, compute)
    arguments = {"query", "key", "value"}
    monkeypatch.setitem(registry._supported_arg_names, AttentionBackendName.SAGE, arguments)
    monkeypatch.setitem(registry._constraints, AttentionBackendName.SAGE, [])
    return off


@pytest.mark.parametrize(("off", "passes"), [(0.05, True), (0.2, False), (float("nan"), False)])
def test_a_lossy_way_may_be_off_by_a_little(wrong: list[float], off: float, passes: bool) -> None:
    wrong.append(off)
    found = tried("sage", CPU)
    assert found.passed is passes
    assert bool(found.why) is not passes
    Tried.model_validate_json(found.model_dump_json())


def test_a_way_that_passed_is_used_by_self_attention_alone(
    generate: Generate, wrong: list[float]
) -> None:
    wrong.append(0.0)
    plain = generate("demo-t2v", precision="bf16").done.latents_sha256
    same = generate("demo-t2v", precision="bf16", attention="sage").done.latents_sha256
    wrong[0] = 0.3
    off = generate("demo-t2v", precision="bf16", attention="sage").done.latents_sha256
    assert off != same
    assert generate("demo-t2v", precision="bf16").done.latents_sha256 == plain, "warm, and back"


@pytest.mark.parametrize("asked", [{"attention": "sage"}, {"compilation": "regional"}])
def test_an_engine_uses_only_what_has_passed_in_its_life(
    work: Make, tmp_path: Path, asked: dict[str, str]
) -> None:
    """A job may have been queued with what an upgrade has broken since."""
    engine = Engine(tmp_path / "embeddings", passed=("flash",))
    events: list[Event] = []
    engine.run(work("demo-t2v", precision="bf16", **asked), events.append, threading.Event())
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.problem.code) == ("request", "trial_failed")


def test_trials_that_cannot_be_kept_are_found_all_the_same(tmp_path: Path) -> None:
    assert trials("cpu", tmp_path / "no" / "such" / "folder.json").device == "cpu"


def test_a_transformer_is_told_for_its_self_attention() -> None:
    from tools.demo.networks import build_transformer

    transformer = build_transformer(16, 16)
    Lean(transformer, 64)
    use(transformer, "sage")
    told = {
        (block.attn1.processor._attention_backend, block.attn2.processor._attention_backend)
        for block in transformer.blocks
    }
    assert told == {(AttentionBackendName.SAGE, None)}


def test_each_is_tried_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "wan22_app.engine.attention", "native", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert Tried.model_validate_json(done.stdout.splitlines()[-1]).passed


def test_an_engines_first_word_is_not_missed_where_every_trial_hangs() -> None:
    assert (len(BACKENDS) + 1) * PATIENCE_S < STARTING_S - 30, "30 s for torch itself"


def test_a_process_that_dies_is_a_reason_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library built for another card may end it; here the device is one that is not there."""
    found = in_a_process("attention", "native", "", "cuda:99")
    assert not found.passed
    assert found.why


def test_trials_are_kept_for_the_same_card_and_versions(tmp_path: Path) -> None:
    kept = tmp_path / "trials.json"
    found = trials("cpu", kept)
    assert (found.device, found.tried) == ("cpu", ())
    assert Trials.model_validate_json(kept.read_bytes()) == found
    before = kept.stat().st_mtime_ns
    assert trials("cpu", kept) == found
    assert kept.stat().st_mtime_ns == before
    other = json.loads(kept.read_text()) | {"versions": "torch 1"}
    kept.write_text(json.dumps(other))
    assert trials("cpu", kept) == found
    kept.write_text("{")
    assert trials("cpu", kept) == found


def test_what_has_passed_is_what_may_be_used() -> None:
    card = Device(kind="cuda", name="a card")
    found = Trials(
        device=card.name,
        versions="",
        tried=(
            Tried(name="native", passed=True),
            Tried(name="flash", passed=False, why="flash_attn is not installed"),
            Tried(name="sage", passed=True, error=0.03, times=1.8),
        ),
    )
    assert found.attention == ("sage",)


def test_a_package_that_is_installed_under_another_name_stops_no_run() -> None:
    found = libraries(("torch", "flash_attn_interface"))
    assert found == {"torch": version("torch")}
