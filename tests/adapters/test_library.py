"""Weights and LoRAs, recognised from their files alone."""

import json
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from wan22_app.adapters import library as adapter
from wan22_app.adapters.library import FolderLibrary
from wan22_app.adapters.safetensors_header import BadFile, read_header
from wan22_app.domain.catalog import WeightsState
from wan22_app.domain.errors import InvalidRequest, ModelUnavailable
from wan22_app.domain.generation import LoraRef


def tensors(path: Path, shapes: dict[str, tuple[int, ...]], spare: bytes = b"") -> Path:
    """A safetensors file of zeros, written by hand."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * offset + spare)
    return path


def lora(width: int = 128, rank: int = 4, block: int = 0) -> dict[str, tuple[int, ...]]:
    key = f"diffusion_model.blocks.{block}.self_attn.q"
    return {f"{key}.lora_A.weight": (rank, width), f"{key}.lora_B.weight": (width, rank)}


@pytest.fixture
def models(tmp_path: Path, demo_models: Path) -> Path:
    return Path(shutil.copytree(demo_models, tmp_path / "models"))


@pytest.fixture
def library(tmp_path: Path, models: Path) -> FolderLibrary:
    (tmp_path / "loras").mkdir()
    return FolderLibrary(models, tmp_path / "loras")


def test_demo_entries_are_ready_and_real_ones_say_what_they_need(library: FolderLibrary) -> None:
    states = {entry.spec.key: entry.state for entry in library.entries()}
    assert states["demo-t2v"] is states["demo-i2v"] is states["demo-ti2v"] is WeightsState.READY
    missing = library.entry("t2v-a14b")
    assert missing.state is WeightsState.MISSING
    assert "69 GB" in missing.problem
    assert "12 GB" in missing.cure
    assert library.entry("demo-t2v").revision


def test_a_folder_of_other_dimensions_is_an_entry_of_its_own(
    library: FolderLibrary, models: Path
) -> None:
    mine = Path(shutil.copytree(models / "demo" / "t2v", models / "My Tiny Wan"))
    (mine / "demo_settings.json").unlink()
    entry = library.entry("my-tiny-wan")
    assert entry.ready
    assert (entry.spec.attention_width, entry.spec.blocks) == (128, 5)


def test_damage_is_seen_at_once_and_so_is_its_cure(library: FolderLibrary, models: Path) -> None:
    file = next((models / "demo" / "t2v" / "transformer").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    damaged = library.entry("demo-t2v")
    assert damaged.state is WeightsState.DAMAGED
    assert "cut short" in damaged.problem
    file.unlink()
    assert "missing" in library.entry("demo-t2v").problem


def test_an_unknown_model_is_named_with_the_known_ones(library: FolderLibrary) -> None:
    with pytest.raises(ModelUnavailable) as refusal:
        library.entry("nonsense")
    assert "demo-t2v" in refusal.value.problem.cure


def test_text_is_counted_in_the_models_own_tokens(library: FolderLibrary) -> None:
    entry = library.entry("demo-t2v")
    short, long = library.tokens(entry, "a"), library.tokens(entry, "a" * 50)
    assert short is not None
    assert long is not None
    assert long > short
    assert library.tokens(library.entry("t2v-a14b"), "a") is None


def test_padding_that_was_stored_with_a_tokenizer_does_not_count(
    library: FolderLibrary, models: Path
) -> None:
    texts = ("a", "a " * 49 + "a")
    before = [library.tokens(library.entry("demo-t2v"), text) for text in texts]
    file = models / "demo" / "t2v" / "tokenizer" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_padding(length=20)
    tokenizer.enable_truncation(20)
    tokenizer.save(str(file))
    assert [library.tokens(library.entry("demo-t2v"), text) for text in texts] == before


def test_a_fitting_lora_gets_its_hash(library: FolderLibrary, tmp_path: Path) -> None:
    tensors(tmp_path / "loras" / "x.safetensors", lora())
    assert list(library.loras()) == ["x.safetensors"]
    checked = library.check_lora(library.entry("demo-t2v"), LoraRef(file="x.safetensors"))
    assert len(checked.sha256) == 64


@pytest.mark.parametrize(
    ("shapes", "code"),
    [
        (lora(width=5120), "lora_wrong_model"),
        (lora(block=7), "lora_too_deep"),
        (lora(rank=600), "lora_rank"),
        ({"x.lora_A.weight": (4, 128)}, "lora_unpaired"),
        ({"something.weight": (4, 4)}, "no_lora"),
    ],
)
def test_a_lora_that_does_not_fit_is_refused_from_its_header(
    library: FolderLibrary, tmp_path: Path, shapes: dict[str, tuple[int, ...]], code: str
) -> None:
    tensors(tmp_path / "loras" / "x.safetensors", shapes)
    with pytest.raises(InvalidRequest) as refusal:
        library.check_lora(library.entry("demo-t2v"), LoraRef(file="x.safetensors"))
    assert (refusal.value.problem.code, refusal.value.problem.field) == (code, "loras")


@pytest.mark.parametrize("name", ["../models/x.safetensors", "/etc/passwd", "x.pt", "..", "x\0y"])
def test_names_that_lead_elsewhere_are_refused(
    library: FolderLibrary, tmp_path: Path, name: str
) -> None:
    tensors(tmp_path / "models" / "x.safetensors", lora())
    with pytest.raises(InvalidRequest):
        library.lora_path(LoraRef(file=name))


def test_a_link_out_of_the_folder_is_refused(library: FolderLibrary, tmp_path: Path) -> None:
    outside = tensors(tmp_path / "outside.safetensors", lora())
    try:
        (tmp_path / "loras" / "link.safetensors").symlink_to(outside)
    except OSError:
        pytest.skip("this system lets no links be made")
    with pytest.raises(InvalidRequest):
        library.lora_path(LoraRef(file="link.safetensors"))


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_mutated_header_is_refused_or_sound(tmp_path: Path, data: st.DataObject) -> None:
    file = tensors(tmp_path / "m.safetensors", lora(width=16))
    raw = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        found = read_header(file)
    except BadFile as error:
        assert str(error)
    else:
        assert found


def test_a_lora_is_hashed_once_and_again_when_it_has_changed(
    library: FolderLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form is judged at every key: a gigabyte must not be read each time."""
    hashed: list[Path] = []
    digest = adapter.sha256
    monkeypatch.setattr(adapter, "sha256", lambda path: hashed.append(path) or digest(path))
    path = tmp_path / "loras" / "x.safetensors"
    entry, ref = library.entry("demo-t2v"), LoraRef(file="x.safetensors")
    tensors(path, lora())
    first = library.check_lora(entry, ref)
    assert library.check_lora(entry, ref) == first
    assert len(hashed) == 1
    tensors(path, lora(rank=8))
    assert library.check_lora(entry, ref).sha256 != first.sha256
    assert len(hashed) == 2


def test_a_file_that_goes_during_the_look_is_not_there(
    library: FolderLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = library.entry("demo-t2v")
    (Path(entry.folder) / "going").symlink_to(tmp_path / "gone")
    monkeypatch.setattr(Path, "is_file", lambda self: self.is_symlink() or not self.is_dir())
    try:
        assert library.entry("demo-t2v").state == entry.state
    finally:
        (Path(entry.folder) / "going").unlink()
