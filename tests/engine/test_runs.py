"""Runs of the engine: stages, seeds, crops, cancels, failures, the file it leaves."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.engine.conftest import Generate, Make, cut_short
from wan22_app.domain.events import Cancelled, Stage
from wan22_app.domain.generation import ImageRef, geometry
from wan22_app.domain.output import RECIPE_KEY, Recipe
from wan22_app.engine.engine import Engine
from wan22_app.engine.picture import fitted

LAYOUTS = [("demo-t2v", False), ("demo-i2v", True), ("demo-ti2v", False), ("demo-ti2v", True)]


def test_the_stages_come_in_order_with_their_units(generate: Generate) -> None:
    outcome = generate("demo-i2v", image=True)
    stages = [stage for stage in Stage if outcome.steps(stage)]
    assert stages == [s for s in Stage if s is not Stage.LOADING or outcome.steps(s)]
    steps = outcome.steps(Stage.DENOISING)
    assert [event.done for event in steps] == [0, 1, 2, 3, 4]
    assert [event.expert for event in steps[1:]] == ["high", "high", "low", "low"]
    assert outcome.steps(Stage.DECODING)[-1].done == outcome.steps(Stage.DECODING)[-1].total == 3
    assert outcome.steps(Stage.ENCODING)[-1].done == 9
    assert set(outcome.done.seconds) >= {"text", "image", "denoising", "decoding", "encoding"}


def test_both_experts_work_at_the_official_shift(generate: Generate) -> None:
    experts = [e.expert for e in generate("demo-t2v").steps(Stage.DENOISING)[1:]]
    assert set(experts) == {"high", "low"}


@pytest.mark.parametrize(("key", "image"), LAYOUTS)
def test_the_same_seed_gives_equal_bytes_and_another_does_not(
    generate: Generate, key: str, image: bool
) -> None:
    first = generate(key, image=image).done
    first_bytes = Path(first.video).read_bytes()
    other = generate(key, image=image, seed=8).done
    assert other.latents_sha256 != first.latents_sha256
    assert Path(other.video).read_bytes() != first_bytes
    again = generate(key, image=image).done
    assert again.latents_sha256 == first.latents_sha256
    assert Path(again.video).read_bytes() == first_bytes


def test_the_prompt_and_the_negative_prompt_matter(generate: Generate) -> None:
    plain = generate("demo-t2v").done.latents_sha256
    assert generate("demo-t2v", prompt="a blue square").done.latents_sha256 != plain
    assert generate("demo-t2v", negative_prompt="dark").done.latents_sha256 != plain


def test_the_image_matters(generate: Generate, picture: Path, tmp_path: Path) -> None:
    before = generate("demo-i2v", image=True).done.latents_sha256
    original = picture.read_bytes()
    try:
        Image.new("RGB", (96, 80), "white").save(picture)
        assert generate("demo-i2v", image=True).done.latents_sha256 != before
    finally:
        picture.write_bytes(original)


@pytest.mark.parametrize("key", ["demo-t2v", "demo-ti2v"])
def test_any_even_size_and_any_length_is_delivered_exactly(generate: Generate, key: str) -> None:
    done = generate(key, width=90, height=50, frames=6).done
    assert (done.width, done.height, done.frames) == (90, 50, 6)
    with av.open(done.video, format="mp4") as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(50, 90, 3)] * 6


def test_the_file_is_what_browsers_want_and_tells_its_recipe(
    generate: Generate, work: Make
) -> None:
    done = generate("demo-t2v", prompt="ein Ball 🎈").done
    data = Path(done.video).read_bytes()
    assert 0 <= data.find(b"moov") < data.find(b"mdat"), "the index must come first"
    with av.open(done.video, format="mp4") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert context.colorspace == context.color_primaries == context.color_trc == 1
        assert stream.average_rate == 8
        metadata = dict(container.metadata)
    recipe = Recipe.model_validate(json.loads(metadata[RECIPE_KEY]))
    assert recipe.request == work("demo-t2v", prompt="ein Ball 🎈").request
    assert recipe.latents_sha256 == done.latents_sha256
    assert recipe.demo
    assert recipe.versions["diffusers"]
    with Image.open(done.poster) as poster:
        assert poster.size == (64, 64)
        assert poster.format == "WEBP"


def test_tiles_and_one_piece_are_both_decoded(generate: Generate, work: Make) -> None:
    plan = work("demo-t2v").plan.model_copy(update={"tile": 64})
    options = {"width": 128, "height": 128}
    tiled = generate("demo-t2v", plan=plan, **options)
    whole = generate("demo-t2v", **options)
    assert tiled.done.latents_sha256 == whole.done.latents_sha256
    assert whole.steps(Stage.DECODING)[-1].total == 3
    assert tiled.steps(Stage.DECODING)[-1].total == 3 * 9
    assert tiled.steps(Stage.DECODING)[-1].done == 3 * 9


@pytest.mark.parametrize("stage", [s for s in Stage if s is not Stage.LOADING])
def test_a_cancel_in_any_stage_leaves_a_good_pipeline(generate: Generate, stage: Stage) -> None:
    expected = generate("demo-i2v", image=True).done.latents_sha256
    stopped = generate("demo-i2v", image=True, stop_at=stage)
    assert isinstance(stopped.verdict, Cancelled)
    again = generate("demo-i2v", image=True)
    assert again.done.latents_sha256 == expected
    assert not again.steps(Stage.LOADING), "it stayed warm"


def test_a_cancel_while_loading_is_obeyed(work: Make, tmp_path: Path) -> None:
    import threading

    engine, cancelled, events = Engine(tmp_path), threading.Event(), list[object]()

    def emit(event: object) -> None:
        events.append(event)
        cancelled.set()

    engine.run(work("demo-t2v"), emit, cancelled)
    assert isinstance(events[-1], Cancelled)
    assert len(events) < 8


def test_damaged_weights_are_a_matter_of_weights(
    work: Make, checkpoint: Path, tmp_path: Path
) -> None:
    import threading

    cut_short(checkpoint / "transformer")
    events: list[object] = []
    damaged = work("demo-t2v", folder=checkpoint)
    Engine(tmp_path).run(damaged, events.append, threading.Event())
    assert getattr(events[-1], "kind", None) == "weights"


def test_a_folder_that_refuses_files_is_a_matter_of_storage(engine: Engine, work: Make) -> None:
    import threading

    events: list[object] = []
    gone = work("demo-t2v").model_copy(update={"staging": "/nonexistent/folder"})
    engine.run(gone, events.append, threading.Event())
    assert getattr(events[-1], "kind", None) == "storage"


def test_the_image_covers_the_asked_size_and_its_edge_goes_on(work: Make, picture: Path) -> None:
    sound = work("demo-ti2v", width=90, height=50)
    made = geometry(sound.entry.spec, sound.request)
    pixels = np.asarray(fitted(str(picture), made))
    assert pixels.shape == (made.height, made.width, 3) == (64, 96, 3)
    inner = pixels[made.top : made.top + 50, made.left : made.left + 90]
    assert (pixels[: made.top] == np.pad(inner, ((0, 0), (3, 3), (0, 0)), mode="edge")[0]).all()
    assert tuple(inner[2, 2]) == (255, 0, 0)
    assert tuple(inner[-3, -3]) == (255, 255, 0)


@pytest.mark.parametrize(("focus", "colour"), [(0.0, (255, 0, 0)), (1.0, (255, 255, 0))])
def test_the_focus_chooses_the_part_to_the_pixel(
    work: Make, tmp_path: Path, focus: float, colour: tuple[int, int, int]
) -> None:
    """No pixel is drawn anew where the asked part lies in the image as it is."""
    image = Image.effect_noise((128, 64), 80).convert("RGB")
    image.paste("red", (0, 0, 8, 64))
    image.paste("yellow", (120, 0, 128, 64))
    image.save(tmp_path / "wide.png")
    made = geometry(work("demo-ti2v").entry.spec, work("demo-ti2v").request)
    pixels = np.asarray(fitted(str(tmp_path / "wide.png"), made, (focus, 0.5)))
    left = int(focus * 64)
    assert (pixels == np.asarray(image)[:, left : left + 64]).all()
    assert tuple(pixels[32, 0 if focus == 0 else -1]) == colour


def test_the_focus_reaches_the_model(generate: Generate, work: Make) -> None:
    """The picture is 96×80 and the video square, so the sides are free."""
    hashes = set()
    for focus in (0.0, 0.5, 1.0):
        ref = ImageRef(sha256="0" * 64, width=96, height=80, focus_x=focus)
        hashes.add(generate("demo-i2v", image=ref).done.latents_sha256)
    assert len(hashes) == 3


def test_a_very_long_image_is_cut_before_it_is_scaled(work: Make, tmp_path: Path) -> None:
    """Scaled whole it would be a picture of 245,760 by 64 pixels: 60 MB instead of 12 KB."""
    Image.new("RGB", (7680, 2), "red").save(tmp_path / "long.png")
    sound = work("demo-ti2v")
    picture = fitted(str(tmp_path / "long.png"), geometry(sound.entry.spec, sound.request))
    assert picture.size == (64, 64)
