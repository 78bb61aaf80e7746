"""Settings: who wins, where relative folders lie, and what a mistake says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wan22_app import config_file
from wan22_app.adapters import inspection
from wan22_app.domain.errors import CannotStart
from wan22_app.settings import PROJECT, Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without settings, and a config.json of the test's own that is still empty."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WAN22_{name.upper()}", raising=False)
    file = tmp_path / "place" / "config.json"
    file.parent.mkdir()
    file.write_text("{}")
    monkeypatch.setenv("WAN22_CONFIG", str(file))
    return file


def problems() -> list[str]:
    with pytest.raises(CannotStart) as refusal:
        Settings()
    assert all(problem.code.startswith("config_") for problem in refusal.value.problems)
    assert all(problem.cure for problem in refusal.value.problems)
    return [problem.sentence() for problem in refusal.value.problems]


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.write_text(json.dumps({"max_waiting": 20, "refresh_seconds": 2, "allowed_hosts": ["a.b"]}))
    monkeypatch.setenv("WAN22_MAX_WAITING", "30")
    monkeypatch.setenv("WAN22_REFRESH_SECONDS", "")
    settings = Settings()
    assert settings.max_waiting == 30
    assert settings.refresh_seconds == 2.0
    assert settings.allowed_hosts == ("a.b",)
    assert settings.frontend_port == 3000
    assert Settings.origins() == {
        "max_waiting": "WAN22_MAX_WAITING",
        "refresh_seconds": str(bare),
        "allowed_hosts": str(bare),
    }


def test_folders_are_relative_to_the_file_and_to_home_wherever_one_stands(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("WAN22_LORAS", "from-the-environment")
    absolute = tmp_path / "absolute"
    bare.write_text(
        json.dumps(
            {
                "outputs": "../videos",
                "models": "~/models",
                "data": str(absolute),
                "database_url": "sqlite:///rows/wan22.sqlite",
            }
        )
    )
    for place in (tmp_path, PROJECT):
        monkeypatch.chdir(place)
        settings = Settings()
        assert settings.outputs == tmp_path / "videos"
        assert settings.models == tmp_path / "home" / "models"
        assert settings.data == absolute
        assert settings.loras == bare.parent / "from-the-environment"
        file = (bare.parent / "rows" / "wan22.sqlite").as_posix()
        assert settings.database == f"sqlite:///{file}"


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "postgresql://u@h/d", "sqlite:////abs/x.sqlite"]
)
def test_other_addresses_stay_as_they_are(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAN22_DATABASE_URL", url)
    assert Settings().database == url


@pytest.mark.parametrize("text", ["a.example, b.example", '["a.example", "b.example"]'])
def test_hosts_are_listed_as_people_would(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAN22_ALLOWED_HOSTS", text)
    assert Settings().allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"output": "x"}, ["no setting “output”", "Did you mean “outputs”"]),
        ({"WAN22_MODELS": "x"}, ["Did you mean “models”"]),
        ({"zzz": 1}, ["no setting “zzz”", "Remove it"]),
        ({"frontend_port": "abc"}, ['“frontend_port” cannot be "abc"', "valid integer"]),
        ({"frontend_port": 70000}, ["“frontend_port”", "65535"]),
        ({"max_waiting": 0}, ["“max_waiting” cannot be 0", "greater than or equal to 1"]),
        ({"max_waiting": True}, ["“max_waiting” cannot be true", "number"]),
        ({"refresh_seconds": 0.5}, ["“refresh_seconds”", "greater than or equal to 1"]),
        ({"refresh_seconds": 61}, ["less than or equal to 60"]),
        ({"outputs": 7}, ["“outputs” cannot be 7", "path"]),
        ({"outputs": ""}, ["“outputs”", "should name a folder"]),
        ({"outputs": "~nobody-has-this-name/x"}, ["a home that exists"]),
        ({"allowed_hosts": 5}, ["“allowed_hosts”", "tuple"]),
        ({"allowed_hosts": "[broken"}, ["“allowed_hosts”"]),
    ],
)
def test_a_mistake_in_the_file_names_the_file_the_setting_and_the_cure(
    bare: Path, content: dict[str, object], words: list[str]
) -> None:
    bare.write_text(json.dumps(content))
    (sentence,) = problems()
    assert str(bare) in sentence
    for word in words:
        assert word in sentence
    assert "docs/settings.md" in sentence


def test_every_mistake_is_said_at_once(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.write_text(json.dumps({"outputz": "x", "backend_port": []}))
    monkeypatch.setenv("WAN22_FRONTEND_PORT", "many")
    found = " ".join(problems())
    assert "outputz" in found
    assert "backend_port" in found
    assert 'WAN22_FRONTEND_PORT cannot be "many". The environment sets it.' in found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"outputs": "x",}', "line 1, column"),
        (b"[1, 2]", "no names with values"),
        (b'"x"', "no names with values"),
        (b"\xff\xfe{", "UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_said(bare: Path, content: bytes, words: str) -> None:
    bare.write_bytes(content)
    (sentence,) = problems()
    assert str(bare) in sentence
    assert words in sentence


@pytest.mark.parametrize("content", [b"", b"  \n", b'\xef\xbb\xbf{"max_waiting": 3}'])
def test_an_empty_file_and_a_byte_order_mark_are_no_mistakes(bare: Path, content: bytes) -> None:
    bare.write_bytes(content)
    assert Settings().max_waiting in (3, 10)


def test_a_named_file_must_exist_and_the_projects_own_need_not(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.unlink()
    (sentence,) = problems()
    assert str(bare) in sentence
    assert "WAN22_CONFIG" in sentence
    monkeypatch.delenv("WAN22_CONFIG")
    monkeypatch.setattr(config_file, "PROJECT", bare.parent)
    assert Settings().max_waiting == 10
    assert config_file.config_file() == bare


def test_the_doctor_says_where_settings_come_from(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.write_text(json.dumps({"outputs": "x", "max_waiting": 3}))
    monkeypatch.setenv("WAN22_MAX_WAITING", "4")
    (check,) = inspection.settings(bare, Settings.origins())
    assert check.what == (
        f"The environment sets WAN22_MAX_WAITING. {bare} sets outputs. All else is the default."
    )
    monkeypatch.delenv("WAN22_MAX_WAITING")
    bare.write_text("{}")
    (check,) = inspection.settings(bare, Settings.origins())
    assert "sets nothing" in check.what


STARTS = {
    "wan22": ("wan22_app.cli", "doctor"),
    "wan22 run": ("wan22_app.cli", "run"),
    "dispatcher": ("wan22_app.dispatcher",),
    "reflex run": ("reflex", "run", "--env", "prod"),
}


@pytest.mark.parametrize("start", STARTS)
def test_no_start_answers_a_mistake_with_a_traceback(bare: Path, start: str) -> None:
    bare.write_text(json.dumps({"outputz": "x"}))
    done = subprocess.run(
        [sys.executable, "-m", *STARTS[start]],
        capture_output=True, text=True, cwd=PROJECT, timeout=100, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "There is no setting “outputz”." in said
    assert "Did you mean “outputs”?" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("start", STARTS)
def test_no_start_answers_an_impossible_folder_with_a_traceback(bare: Path, start: str) -> None:
    (bare.parent / "file").write_text("in the way")
    bare.write_text(json.dumps({"data": "file/data"}))
    done = subprocess.run(
        [sys.executable, "-m", *STARTS[start]],
        capture_output=True, text=True, cwd=PROJECT, timeout=100, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"The folder {bare.parent / 'file' / 'data'} cannot be created." in said
    assert "Traceback" not in said


def test_children_elsewhere_see_the_same(bare: Path, tmp_path: Path) -> None:
    """As the web starts the dispatcher, and a service manager starts either: from anywhere."""
    bare.write_text(json.dumps({"outputs": "videos", "data": "rows"}))
    code = (
        "from wan22_app.settings import Settings; s = Settings(); print(s.outputs); print(s.data)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        ).stdout
        for place in (tmp_path, PROJECT, Path.home())
    }  # fmt: skip
    assert len(seen) == 1
    (said,) = seen
    assert said.split() == [str(bare.parent / "videos"), str(bare.parent / "rows")]
