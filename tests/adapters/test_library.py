"""Weights and LoRAs, recognised from their files alone."""

import json
import math
import pickle
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.tensors import tensors
from wan22_app.adapters import library as adapter
from wan22_app.adapters.library import FolderLibrary
from wan22_app.adapters.safetensors_header import BYTES, MAX_TENSORS, BadFile, read_header
from wan22_app.domain.catalog import WeightsState
from wan22_app.domain.errors import InvalidRequest, ModelUnavailable
from wan22_app.domain.generation import LoraRef

Q = "diffusion_model.blocks.{}.self_attn.q"
FFN = "diffusion_model.blocks.0.ffn.0"
IMAGE = "diffusion_model.blocks.0.cross_attn.k_img"


def lora(width: int = 128, rank: int = 4, block: int = 0) -> dict[str, tuple[int, ...]]:
    key = Q.format(block)
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


def test_weights_of_the_same_size_are_told_apart_by_their_content(
    library: FolderLibrary, models: Path
) -> None:
    before = library.entry("demo-t2v").revision
    file = models / "demo" / "t2v" / "transformer" / "diffusion_pytorch_model.safetensors"
    file.touch()
    assert library.entry("demo-t2v").revision == before, "a copy is the same"
    raw = bytearray(file.read_bytes())
    raw[-100_000:] = bytes(100_000)
    file.write_bytes(raw)
    assert library.entry("demo-t2v").revision != before


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
    assert checked.weights == 2 * 4 * 128


@pytest.mark.parametrize(
    ("shapes", "code"),
    [
        (lora(width=5120), "lora_wrong_model"),
        (lora(block=7), "lora_too_deep"),
        (lora(rank=600), "lora_rank"),
        ({"x.lora_A.weight": (4, 128), "x.lora_B.weight": (128, 4)}, "no_lora"),
        ({"something.weight": (4, 4)}, "no_lora"),
        ({**lora(), f"{Q.format(1)}.lora_A.weight": (4, 128)}, "lora_unpaired"),
        (
            {f"{Q.format(0)}.lora_A.weight": (4, 128), f"{Q.format(0)}.lora_B.weight": (128, 8)},
            "lora_shapes",
        ),
        ({f"{FFN}.lora_A.weight": (4, 128), f"{FFN}.lora_B.weight": (384, 4)}, "lora_wrong_model"),
        (lora(rank=0), "lora_shapes"),
        ({**lora(), f"{Q.format(0)}.alpha": (2,)}, "lora_alpha"),
        ({**lora(), f"{Q.format(0)}.diff_b": (128,)}, "lora_partly"),
        (
            {**lora(), f"{IMAGE}.lora_A.weight": (4, 128), f"{IMAGE}.lora_B.weight": (128, 4)},
            "lora_partly",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused_from_its_header(
    library: FolderLibrary, tmp_path: Path, shapes: dict[str, tuple[int, ...]], code: str
) -> None:
    tensors(tmp_path / "loras" / "x.safetensors", shapes)
    with pytest.raises(InvalidRequest) as refusal:
        library.check_lora(library.entry("demo-t2v"), LoraRef(file="x.safetensors"))
    assert (refusal.value.problem.code, refusal.value.problem.field) == (code, "loras")


def test_what_fits_of_a_lora_is_used_with_consent_only(
    library: FolderLibrary, tmp_path: Path
) -> None:
    tensors(tmp_path / "loras" / "x.safetensors", {**lora(), f"{Q.format(0)}.diff_b": (128,)})
    entry, ref = library.entry("demo-t2v"), LoraRef(file="x.safetensors")
    with pytest.raises(InvalidRequest) as refusal:
        library.check_lora(entry, ref)
    assert "1 of the 3 tensors" in refusal.value.problem.what
    assert "diff_b" in refusal.value.problem.evidence
    agreed = ref.model_copy(update={"partly": True})
    assert library.check_lora(entry, agreed).sha256


@pytest.mark.parametrize(
    ("dtype", "number", "sound"),
    [
        ("F32", 0x7FC00000, False),
        ("F32", 0xFF800000, False),
        ("F32", 0x7F7FFFFF, True),
        ("F16", 0x7E00, False),
        ("F16", 0xFC00, False),
        ("F16", 0x7BFF, True),
        ("BF16", 0x7FC0, False),
        ("BF16", 0x7F80, False),
        ("BF16", 0x7F7F, True),
    ],
)
def test_weights_that_are_no_numbers_are_refused(
    library: FolderLibrary, tmp_path: Path, dtype: str, number: int, *, sound: bool
) -> None:
    """One in the middle of many; the largest that is a number is none of them."""
    path = tensors(tmp_path / "loras" / "x.safetensors", lora(), dtype=dtype)
    raw, width = path.read_bytes(), BYTES[dtype]
    at = len(raw) - 100 * width
    path.write_bytes(raw[:at] + number.to_bytes(width, "little") + raw[at + width :])
    numbers_are(library, sound=sound)


def numbers_are(library: FolderLibrary, *, sound: bool) -> None:
    """The LoRA that lies there is taken, or refused for its numbers."""
    entry, ref = library.entry("demo-t2v"), LoraRef(file="x.safetensors")
    if sound:
        assert library.check_lora(entry, ref).sha256
    else:
        with pytest.raises(InvalidRequest) as refusal:
            library.check_lora(entry, ref)
        assert refusal.value.problem.code == "lora_numbers"


@pytest.mark.parametrize("ending", ["pt", "pth", "ckpt", "bin", "pkl"])
def test_a_pickle_is_not_opened(library: FolderLibrary, tmp_path: Path, ending: str) -> None:
    (tmp_path / "loras" / f"x.{ending}").write_bytes(pickle.dumps({}))
    with pytest.raises(InvalidRequest, match="code that would run"):
        library.check_lora(library.entry("demo-t2v"), LoraRef(file=f"x.{ending}"))


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


@pytest.mark.parametrize("length", [0, 1, 1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_header_of_an_absurd_length_is_refused_unread(tmp_path: Path, length: int) -> None:
    file = tensors(tmp_path / "m.safetensors", lora())
    raw = file.read_bytes()
    file.write_bytes(length.to_bytes(8, "little") + raw[8:])
    with pytest.raises(BadFile, match="impossible length"):
        read_header(file)


def test_a_header_of_absurdly_many_tensors_is_refused(tmp_path: Path) -> None:
    file = tensors(tmp_path / "m.safetensors", {str(n): () for n in range(MAX_TENSORS + 1)})
    with pytest.raises(BadFile, match=f"names {MAX_TENSORS + 1} tensors"):
        read_header(file)


def test_an_alpha_that_is_no_number_is_refused_in_every_type(
    library: FolderLibrary, tmp_path: Path
) -> None:
    whole = {**lora(), f"{Q.format(0)}.alpha": ()}
    path = tensors(tmp_path / "loras" / "x.safetensors", whole)
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    parts = json.loads(header[8 : 8 + size])
    alpha = parts[f"{Q.format(0)}.alpha"]
    begin, _ = alpha["data_offsets"]
    alpha |= {"dtype": "F64", "data_offsets": [begin, begin + 8]}
    text = json.dumps(parts).encode()
    for number, sound in ((4.0, True), (math.nan, False), (math.inf, False)):
        data = b"\0" * begin + struct.pack("<d", number)
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        numbers_are(library, sound=sound)


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
