"""The command line, run as a person runs it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from wan22_app.adapters.files import read_recipe

Wan22 = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--width", 64, "--height", 64, "--frames", 5, "--steps", 2, "--seed", 7)


def frames_of(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return len(frames), frames[0].width, frames[0].height


def test_a_prompt_becomes_a_video_and_a_json_line(wan22: Wan22, tmp_path: Path) -> None:
    out = tmp_path / "ball.mp4"
    done = wan22("generate", "--model", "demo-t2v", "--prompt", "a red ball", *SMALL, "--out", out)
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["state"] == "succeeded"
    assert line["seed"] == 7
    assert line["output"] == str(out)
    assert {"text", "denoising", "decoding", "encoding"} <= line["seconds"].keys()
    assert frames_of(out) == (5, 64, 64)


def test_a_start_image_is_taken_and_the_crop_is_exact(wan22: Wan22, tmp_path: Path) -> None:
    image, out = tmp_path / "start.png", tmp_path / "out.mp4"
    Image.new("RGB", (300, 200), "orange").save(image)
    done = wan22(
        "generate", "--model", "demo-i2v", "--prompt", "it moves", "--image", image,
        "--width", 160, "--height", 90, "--frames", 5, "--steps", 2, "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert frames_of(out) == (5, 160, 90)


@pytest.mark.slow
def test_a_transparent_avif_lies_on_the_background_and_its_focus_is_kept(
    wan22: Wan22, tmp_path: Path
) -> None:
    image, out = tmp_path / "start.avif", tmp_path / "out.mp4"
    Image.new("RGBA", (128, 64), (255, 0, 0, 0)).save(image)
    done = wan22(
        "generate", "--model", "demo-i2v", "--prompt", "it moves", "--image", image,
        "--background", "white", "--focus-x", 0.25, *SMALL, "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    recipe = read_recipe(out)
    assert recipe is not None
    ref = recipe.request.image
    assert ref is not None
    assert (ref.background, ref.focus) == ("white", (0.25, 0.5))
    with Image.open(tmp_path / "data" / "uploads" / f"{ref.sha256}.png") as kept:
        assert kept.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "demo-t2v", "--prompt", " "), "prompt is empty"),
        (("--model", "demo-t2v", "--prompt", "x", "--width", "65"), "65 is odd"),
        (("--model", "demo-t2v", "--prompt", "x", "--steps", "nan"), "Steps"),
        (("--model", "demo-i2v", "--prompt", "x"), "starts from an image"),
        (("--model", "demo-i2v", "--prompt", "x", "--focus-x", "nan"), "number from 0 to 1"),
        (("--model", "nonsense", "--prompt", "x"), "nonsense"),
        (("--model", "t2v-a14b", "--prompt", "x"), "Wan2.2-T2V-A14B"),
        (("--model", "demo-t2v", "--prompt", "x", "--lora", "absent.safetensors"), "absent"),
        (("--model", "demo-t2v", "--prompt", "x", "--lora", "a.safetensors:9"), "from -4 to 4"),
    ],
)
def test_bad_input_is_refused_with_a_reason(
    wan22: Wan22, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "never.mp4"
    done = wan22("generate", *arguments, "--out", out)
    assert done.returncode == 2
    assert words in done.stderr
    assert not out.exists()
    assert "Traceback" not in done.stderr


def test_an_unwritable_target_is_refused_before_the_work(wan22: Wan22, tmp_path: Path) -> None:
    target = tmp_path / "no" / "folder.mp4"
    done = wan22("generate", "--model", "demo-t2v", "--prompt", "x", "--out", target)
    assert done.returncode == 2
    assert "existing folder" in done.stderr


def test_doctor_reports_and_says_what_to_do(wan22: Wan22) -> None:
    done = wan22("doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert checks["Demo T2V"]["level"] == "ok"
    assert checks["T2V-A14B"]["level"] == "note"
    assert checks["T2V-A14B"]["cure"]
    assert checks["Database"]["level"] == "bad", "nothing was migrated yet"
    assert done.returncode == 1


def test_migrate_makes_the_doctor_content(wan22: Wan22) -> None:
    assert wan22("migrate").returncode == 0
    done = wan22("doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert checks["Database"]["level"] == "ok"
