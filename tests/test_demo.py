"""The demo checkpoints come with the project and are copied to where the models are."""

import shutil
from pathlib import Path

import pytest

from wan22_app import demo


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three small folders in place of the project's own."""
    folder = tmp_path / "project" / "models" / "demo"
    for layout in demo.LAYOUTS:
        (folder / layout / "vae").mkdir(parents=True)
        (folder / layout / "vae" / "weights.safetensors").write_bytes(layout.encode())
        (folder / layout / demo.CARD).write_text(f"card of {layout}, first")
    monkeypatch.setattr(demo, "SHIPPED", folder)
    return folder


def test_what_is_there_is_left_alone_and_what_is_old_is_replaced(
    shipped: Path, tmp_path: Path
) -> None:
    models = tmp_path / "elsewhere"
    assert demo.provide(models) == list(demo.LAYOUTS)
    assert demo.provide(models) == []
    (shipped / "i2v" / demo.CARD).write_text("card of i2v, second")
    (shipped / "i2v" / "vae" / "weights.safetensors").write_bytes(b"new")
    (models / "demo" / "i2v" / "vae" / "gone.safetensors").write_bytes(b"old")
    assert demo.provide(models) == ["i2v"]
    weights = models / "demo" / "i2v" / "vae"
    assert [path.name for path in weights.iterdir()] == ["weights.safetensors"]
    assert (weights / "weights.safetensors").read_bytes() == b"new"


def test_a_copy_that_was_broken_off_is_made_again(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "elsewhere"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", full)
        with pytest.raises(OSError, match="No space"):
            demo.provide(models)
    assert not (models / "demo" / "t2v").exists(), "no half checkpoint"
    assert demo.provide(models) == list(demo.LAYOUTS)
    left = {path.name for path in (models / "demo").iterdir()}
    assert left == set(demo.LAYOUTS), "the part is gone, too"


def test_the_projects_own_folder_needs_no_copy(shipped: Path) -> None:
    assert demo.provide(shipped.parent) == []


def test_a_project_without_them_says_how_to_get_them_back(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(shipped / "ti2v")
    assert demo.main([str(tmp_path / "elsewhere")]) == 1
    assert "git restore models/demo" in capsys.readouterr().err
