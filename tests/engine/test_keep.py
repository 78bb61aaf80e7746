"""One part in memory at a time: the same video, and never two parts together."""

import gc
import itertools
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.hooks import CpuOffload
from diffusers import WanTransformer3DModel
from safetensors.torch import save_file
from transformers import UMT5EncoderModel

from tests.engine.conftest import Generate, Make, Outcome, cut_short
from tests.values import PLAN
from wan22_app.domain.events import Advanced, Cancelled, Done, Event, Failed, Stage
from wan22_app.domain.generation import LoraRef
from wan22_app.domain.plan import MemoryPlan
from wan22_app.engine.engine import Engine

pytestmark = pytest.mark.slow

ONE = PLAN.model_copy(update={"keep": "one"})
BLOCKS = ONE.model_copy(update={"offload": "block"})
CASES = [("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True)]


@pytest.mark.parametrize("plan", [ONE, BLOCKS], ids=["none", "block"])
@pytest.mark.parametrize(("key", "image"), CASES)
def test_the_latents_are_those_of_a_whole_model(
    generate: Generate, key: str, image: bool, plan: MemoryPlan
) -> None:
    whole = generate(key, image=image)
    alone = generate(key, image=image, plan=plan)
    assert alone.done.latents_sha256 == whole.done.latents_sha256
    assert [(step.done, step.expert) for step in alone.steps(Stage.DENOISING)] == [
        (step.done, step.expert) for step in whole.steps(Stage.DENOISING)
    ]


def alive(kind: type) -> int:
    return sum(issubclass(type(each), kind) for each in gc.get_objects())


def test_no_two_parts_are_in_memory_together(work: Make, tmp_path: Path) -> None:
    gc.collect()  # what earlier tests have left must not vanish while it is counted
    before = alive(WanTransformer3DModel), alive(UMT5EncoderModel)
    seen: dict[str, set[tuple[int, int]]] = {}

    def emit(event: Event) -> None:
        stage = "verdict" if isinstance(event, Done) else str(getattr(event, "stage", ""))
        now = alive(WanTransformer3DModel) - before[0], alive(UMT5EncoderModel) - before[1]
        seen.setdefault(stage, set()).add(now)

    engine = Engine(tmp_path / "embeddings")
    engine.run(work("demo-t2v", plan=ONE), emit, threading.Event())
    gc.collect()
    assert seen["denoising"] == {(0, 0), (1, 0)}, "none before the first step, then one of two"
    assert seen["text"] <= {(0, 1), (0, 0)} and (0, 1) in seen["text"]
    assert seen["decoding"] == seen["verdict"] == {(0, 0)}


def lora(path: Path) -> str:
    torch.manual_seed(0)
    name = "diffusion_model.blocks.0.self_attn.q"
    shapes = {f"{name}.lora_A.weight": (4, 128), f"{name}.lora_B.weight": (128, 4)}
    save_file({key: torch.randn(shape) * 0.3 for key, shape in shapes.items()}, path)
    return str(path)


@pytest.mark.parametrize("expert", ["high", "low", "both"])
def test_loras_go_to_the_expert_that_they_are_for(
    generate: Generate, tmp_path: Path, expert: str
) -> None:
    options = {
        "loras": (LoraRef.model_validate({"file": "x.safetensors", "expert": expert}),),
        "lora_paths": (lora(tmp_path / "x.safetensors"),),
    }
    whole, alone = generate("demo-t2v", **options), generate("demo-t2v", plan=ONE, **options)
    assert alone.done.latents_sha256 == whole.done.latents_sha256
    assert whole.done.latents_sha256 != generate("demo-t2v", plan=ONE).done.latents_sha256


def test_one_that_was_stopped_goes_on_with_the_expert_of_its_step(generate: Generate) -> None:
    whole = generate("demo-t2v", steps=6).done
    for step in (1, 5):
        stopped = generate("demo-t2v", Stage.DENOISING, step, plan=ONE, steps=6)
        assert isinstance(stopped.verdict, Cancelled)
        rest = generate("demo-t2v", again=True, plan=ONE, steps=6)
        assert rest.steps(Stage.DENOISING)[0].done in (step - 1, step)
        assert rest.done.latents_sha256 == whole.latents_sha256


def test_an_expert_that_is_damaged_fails_in_its_turn_and_is_a_matter_of_weights(
    work: Make, checkpoint: Path, tmp_path: Path
) -> None:
    cut_short(checkpoint / "transformer_2")
    outcome, engine = Outcome(), Engine(tmp_path / "embeddings")
    damaged = work("demo-t2v", folder=checkpoint, plan=ONE)
    engine.run(damaged, outcome.events.append, threading.Event())
    assert isinstance(outcome.verdict, Failed)
    assert outcome.failed.kind == "weights"
    assert {step.expert for step in outcome.steps(Stage.DENOISING)} == {"", "high"}
    after = Outcome()
    engine.run(work("demo-t2v", plan=ONE), after.events.append, threading.Event())
    assert after.done, "the engine is as good as new"


@pytest.mark.parametrize("key", ["demo-i2v", "demo-ti2v"])
def test_with_block_offload_the_vae_is_on_the_device_for_its_own_work_alone(
    work: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """On a processor it moves nowhere, so what is seen is the hook that would move it."""
    stages: list[str] = [""]
    moves: list[tuple[str, str]] = []

    class Seen(CpuOffload):
        def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
            moves.append((stages[-1], "there"))
            return super().pre_forward(module, *args, **kwargs)

        def init_hook(self, module: Any) -> Any:
            moves.append((stages[-1], "home"))
            return super().init_hook(module)

    def emit(event: Event) -> None:
        if isinstance(event, Advanced) and event.stage != stages[-1]:
            stages.append(event.stage)

    plan = PLAN.model_copy(update={"offload": "block"})
    # The first run of a checkpoint has it encode pictures for the previews' colours, too.
    Engine(tmp_path).run(work(key, image=True, plan=plan), emit, threading.Event())
    Path(work(key, image=True).latents).unlink()
    monkeypatch.setattr("accelerate.big_modeling.CpuOffload", Seen)
    Engine(tmp_path).run(work(key, image=True, plan=plan), emit, threading.Event())
    turns = [next(group) for _, group in itertools.groupby(moves, lambda move: move[1])]
    assert turns == [
        (Stage.LOADING, "home"), (Stage.IMAGE, "there"), (Stage.IMAGE, "home"),
        (Stage.DECODING, "there"), (Stage.DECODING, "home"),
    ]  # fmt: skip
