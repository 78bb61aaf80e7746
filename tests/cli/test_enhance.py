"""``wan22 enhance`` as a person or a script runs it."""

import json
import subprocess
from collections.abc import Callable

import pytest

Wan22 = Callable[..., subprocess.CompletedProcess[str]]


def test_the_text_can_be_piped_and_the_notes_stand_apart(wan22: Wan22) -> None:
    done = wan22("enhance", "a street, static camera, dolly in")
    assert done.returncode == 0
    assert done.stdout.startswith("a street, static camera, dolly in, ")
    assert done.stdout.count("\n") == 1
    assert "“static camera” and “dolly in”" in done.stderr
    again = wan22("enhance", done.stdout.strip())
    assert again.stdout == done.stdout


def test_json_says_which_words_were_added_and_counts_with_the_models_tokenizer(
    wan22: Wan22,
) -> None:
    done = wan22("enhance", "一只猫", "--model", "demo-t2v", "--json")
    line = json.loads(done.stdout)
    assert line["pieces"][0] == {"text": "一只猫", "dimension": None}
    assert line["text"] == "".join(piece["text"] for piece in line["pieces"])
    assert line["length"]["unit"] == "tokens"
    assert line["length"]["used"] > len(line["text"]), "bytes, in the demo's own tokenizer"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [("--model", "demo-i2v"), ("--with-image",)])
def test_with_an_image_the_scene_is_left_alone(wan22: Wan22, arguments: tuple[str, ...]) -> None:
    done = wan22("enhance", "a cat", "--json", *arguments)
    added = [piece["dimension"] for piece in json.loads(done.stdout)["pieces"][1:]]
    assert added == ["motion", "camera movement"]


def test_chinese_comes_through_a_narrow_pipe(wan22: Wan22, installation: dict[str, str]) -> None:
    installation["PYTHONIOENCODING"] = "cp1252"
    done = wan22("enhance", "一只猫")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("一只猫，")


def test_an_unknown_model_is_refused_with_the_known_ones(wan22: Wan22) -> None:
    done = wan22("enhance", "a cat", "--model", "none")
    assert done.returncode == 2
    assert "demo-t2v" in done.stderr
    assert done.stdout == ""
