"""Work on the demo checkpoints, and an engine in this process."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests import gguf_files
from tests.values import PLAN
from wan22_app.domain.catalog import CATALOG, ModelEntry, WeightsState
from wan22_app.domain.continuation import VideoRef
from wan22_app.domain.events import Advanced, Cancelled, Done, Drafted, Event, Failed, Stage
from wan22_app.domain.generation import GenerationRequest, ImageRef
from wan22_app.domain.plan import MemoryPlan
from wan22_app.domain.work import Work
from wan22_app.engine.engine import Engine

torch.set_num_threads(1)
NATIVE = {"width": 128, "height": 128, "frames": 17}
"""What the demo models were trained for; elsewhere small changes of weights go far."""
SMALL = {"width": 64, "height": 64, "frames": 9, "steps": 4, "seed": 7}


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("embeddings"), save_every_s=0)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A start image whose corners can be told apart."""
    path = tmp_path_factory.mktemp("image") / "start.png"
    image = Image.new("RGB", (96, 80), "navy")
    image.paste("red", (0, 0, 48, 40))
    image.paste("yellow", (48, 40, 96, 80))
    image.save(path)
    return path


@pytest.fixture
def checkpoint(demo_models: Path, tmp_path: Path) -> Path:
    """A copy of the demo T2V that may be damaged."""
    return Path(shutil.copytree(demo_models / "demo" / "t2v", tmp_path / "checkpoint"))


def cut_short(part: Path) -> None:
    """Leave the beginning of a part's weights."""
    file = next(part.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:1000])


@dataclass
class Outcome:
    """Everything that a run said."""

    events: list[Event] = field(default_factory=list)

    @property
    def verdict(self) -> Event:
        return self.events[-1]

    @property
    def done(self) -> Done:
        assert isinstance(self.verdict, Done), self.verdict
        return self.verdict

    @property
    def failed(self) -> Failed:
        assert isinstance(self.verdict, Failed), self.verdict
        return self.verdict

    def steps(self, stage: Stage) -> list[Advanced]:
        return [e for e in self.events if isinstance(e, Advanced) and e.stage is stage]


Make = Callable[..., Work]
Pack = Callable[..., tuple[str, ...]]
Generate = Callable[..., Outcome]
Latents = Callable[..., torch.Tensor]


@pytest.fixture(scope="session")
def pack(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """GGUF files of a demo model's experts, written once for each kind."""
    folder = tmp_path_factory.mktemp("gguf")

    def files(key: str, kind: str = "Q8_0") -> tuple[str, ...]:
        spec = CATALOG[key]
        source = demo_models / "demo" / spec.task
        parts = ("transformer", "transformer_2")[: spec.experts]
        paths = [folder / f"{key}-{part}-{kind}.gguf" for part in parts]
        for part, path in zip(parts, paths, strict=True):
            if not path.exists():
                gguf_files.write(source / part, path, kind)
        return tuple(map(str, paths))

    return files


@pytest.fixture
def work(demo_models: Path, picture: Path, tmp_path: Path) -> Make:
    """Build work for a demo entry.

    ``image`` adds the start image, as given or as it is; ``start`` is another file for it,
    ``last`` the file of a last image, ``video`` that of what ``continues`` names, and ``folder``
    another checkpoint.
    """

    def make(
        key: str,
        *,
        image: bool | ImageRef = False,
        start: Path = picture,
        last: Path | None = None,
        continues: VideoRef | None = None,
        video: Path | None = None,
        folder: Path | None = None,
        plan: MemoryPlan = PLAN,
        lora_paths: tuple[str, ...] = (),
        until: int = 0,
        experts: tuple[str, ...] = (),
        **fields: object,
    ) -> Work:
        spec = CATALOG[key]
        values: dict[str, object] = {"prompt": "a red ball", **SMALL, **fields}
        if image is True:
            with Image.open(start) as opened:
                image = ImageRef(sha256="0" * 64, width=opened.width, height=opened.height)
        if image:
            values["image"] = image
        if continues:
            values["continues"] = continues
        if last:
            values["last_image"] = ImageRef(sha256="1" * 64, width=64, height=64)
        return Work(
            job_id="0" * 32,
            epoch=1,
            request=GenerationRequest.build(spec, values, 1),
            plan=plan.model_copy(
                update={
                    "precision": values.get("precision", "fp32"),
                    "quantization": values.get("quantization", "none"),
                    "text_quantization": values.get("text_quantization", "none"),
                    "attention": values.get("attention", "native"),
                    "compilation": values.get("compilation", "none"),
                }
            ),
            entry=ModelEntry(
                spec=spec,
                state=WeightsState.READY,
                folder=str(folder or demo_models / "demo" / spec.task),
                experts=experts,
                revision=" ".join(("r", *experts)),
            ),
            staging=str(tmp_path),
            image=str(start) if image else "",
            last_image=str(last or ""),
            continues=str(video or ""),
            loras=lora_paths,
            latents=str(tmp_path / "latents.safetensors"),
            until=until,
            app_version="test",
        )

    return make


@pytest.fixture
def generate(engine: Engine, work: Make) -> Generate:
    """Run an entry to its verdict.

    ``stop_at`` cancels when that stage begins, or ``stop_after`` so many of its units. ``again``
    leaves the run what an earlier one has saved.
    """

    def run(
        key: str,
        stop_at: Stage | None = None,
        stop_after: int = 0,
        *,
        again: bool = False,
        **options: object,
    ) -> Outcome:
        outcome, cancelled = Outcome(), threading.Event()

        def emit(event: Event) -> None:
            outcome.events.append(event)
            if isinstance(event, Advanced) and event.stage is stop_at and event.done >= stop_after:
                cancelled.set()

        task = work(key, **options)
        if not again:
            Path(task.latents).unlink(missing_ok=True)
        engine.run(task, emit, cancelled)
        verdicts = [e for e in outcome.events if isinstance(e, Done | Drafted | Failed | Cancelled)]
        assert verdicts == [outcome.verdict], "exactly one verdict, and it comes last"
        return outcome

    return run


@pytest.fixture
def latents(generate: Generate, tmp_path: Path) -> Latents:
    """The final latents of a run, in fp32; arguments as for ``generate``."""

    def run(key: str, **options: object) -> torch.Tensor:
        generate(key, **options).done  # noqa: B018
        return load_file(tmp_path / "latents.safetensors")["latents"].float()

    return run
