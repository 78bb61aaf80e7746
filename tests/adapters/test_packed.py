"""GGUF files become models of their own, or say why they do not."""

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

from tests import gguf_files
from wan22_app.adapters.library import FolderLibrary
from wan22_app.domain.catalog import ModelEntry, WeightsState

HIGH, LOW = "Wan2.2-T2V-A14B-HighNoise-Q8_0.gguf", "Wan2.2-T2V-A14B-LowNoise-Q8_0.gguf"
KEY = "wan2.2-t2v-a14b-q8_0"


@pytest.fixture(scope="module")
def written(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """T2V's pair and TI2V's single file."""
    folder = tmp_path_factory.mktemp("written")
    t2v, ti2v = demo_models / "demo" / "t2v", demo_models / "demo" / "ti2v"
    gguf_files.write(t2v / "transformer", folder / HIGH)
    gguf_files.write(t2v / "transformer_2", folder / LOW)
    gguf_files.write(ti2v / "transformer", folder / "5b.gguf", "Q4_0")
    return folder


@pytest.fixture
def models(tmp_path: Path, demo_models: Path) -> Path:
    return Path(shutil.copytree(demo_models, tmp_path / "models"))


@pytest.fixture
def library(models: Path, tmp_path: Path) -> FolderLibrary:
    (tmp_path / "loras").mkdir()
    return FolderLibrary(models, tmp_path / "loras")


def put(models: Path, written: Path, *names: str, folder: str = ".") -> None:
    (models / folder).mkdir(exist_ok=True)
    for name in names:
        shutil.copy(written / name, models / folder / name)


def keys(library: FolderLibrary) -> list[str]:
    return [entry.spec.key for entry in library.entries()]


def test_a_pair_is_one_model_beside_the_folder_that_it_borrows_from(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    before = keys(library)
    put(models, written, HIGH, LOW)
    assert set(keys(library)) == {*before, KEY}
    entry = library.entry(KEY)
    assert entry.ready
    assert entry.folder == str(models / "demo" / "t2v")
    assert entry.experts == (str(models / HIGH), str(models / LOW))
    assert (entry.spec.name, entry.spec.packed) == ("Demo T2V Q8_0", "Q8_0")
    assert entry.spec.repo == ""
    assert entry.bytes == sum((written / name).stat().st_size for name in (HIGH, LOW))
    assert entry.revision != library.entry("demo-t2v").revision
    assert library.tokens(entry, "a red ball") is not None


def test_its_costs_are_those_of_its_files(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH, LOW)
    costs = library.entry(KEY).spec.costs
    size = (written / HIGH).stat().st_size
    assert 0.95 * size < costs.transformer_bytes <= size
    assert costs.block_bytes * library.entry(KEY).spec.blocks < costs.transformer_bytes
    assert costs.vae_bytes == library.entry("demo-t2v").spec.costs.vae_bytes


def test_halves_are_found_in_folders_of_their_own(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH, folder="HighNoise")
    put(models, written, LOW, folder="LowNoise")
    assert [Path(path).name for path in library.entry(KEY).experts] == [HIGH, LOW]


def test_a_model_with_one_expert_is_one_file(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, "5b.gguf")
    entry = library.entry("5b")
    assert (entry.ready, entry.spec.packed, len(entry.experts)) == (True, "Q4_0", 1)
    assert entry.folder == str(models / "demo" / "ti2v")


def test_the_base_needs_no_transformers_of_its_own(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH, LOW)
    revision = library.entry(KEY).revision
    for part in ("transformer", "transformer_2"):
        for file in (models / "demo" / "t2v" / part).glob("*.safetensors"):
            file.unlink()
    assert library.entry("demo-t2v").state is WeightsState.DAMAGED
    assert library.entry(KEY).ready
    assert library.entry(KEY).revision == revision, "what computes is the same"


def missing(library: FolderLibrary, key: str) -> ModelEntry:
    entry = library.entry(key)
    assert entry.state is WeightsState.MISSING
    assert entry.problem
    assert entry.cure
    return entry


def test_without_a_base_it_says_what_it_needs(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH, LOW)
    shutil.rmtree(models / "demo" / "t2v" / "vae")
    found = missing(library, KEY)
    assert "needs a T2V-A14B folder" in found.problem
    assert "VAE" in found.problem


def test_one_half_alone_names_the_other(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH)
    assert "low noise is not here" in missing(library, KEY).problem


def test_a_half_whose_name_does_not_say_so_is_no_model(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    shutil.copy(written / HIGH, models / "t2v.gguf")
    assert "for which noise" in missing(library, "t2v").problem


def test_halves_of_different_models_are_not_put_together(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH)
    shutil.copy(written / "5b.gguf", models / LOW)
    assert "different models" in missing(library, KEY).problem


def test_a_file_cut_short_is_told(library: FolderLibrary, models: Path, written: Path) -> None:
    put(models, written, HIGH, LOW)
    (models / LOW).write_bytes((models / LOW).read_bytes()[:-5000])
    assert "cut short" in missing(library, KEY).problem


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 400, b"no gguf at all"])
def test_nonsense_is_told_and_harms_nothing(
    library: FolderLibrary, models: Path, content: bytes
) -> None:
    (models / "x.gguf").write_bytes(content)
    assert "cannot be used" in missing(library, "x").problem
    assert library.entry("demo-t2v").ready


def test_other_models_are_passed_over(
    library: FolderLibrary, models: Path, demo_models: Path
) -> None:
    """A text encoder as GGUF, say: people keep all kinds of files in one folder."""
    before = keys(library)
    source = demo_models / "demo" / "t2v" / "transformer"
    gguf_files.write(source, models / "umt5-encoder-Q8_0.gguf", architecture="t5encoder")
    assert keys(library) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [("more", "vace_blocks.0.x"), ("fewer", "norm_k"), ("packed", "cannot be unpacked")],
)
def test_what_is_no_plain_transformer_is_told(
    library: FolderLibrary, models: Path, written: Path, change: str, said: str
) -> None:
    reader = gguf.GGUFReader(written / "5b.gguf")
    writer = gguf.GGUFWriter(str(models / "5b.gguf"), "wan")
    for tensor in reader.tensors:
        if change == "fewer" and tensor.name == "blocks.0.self_attn.norm_k.weight":
            continue
        if change == "packed" and tensor.name == "blocks.0.ffn.0.weight":
            kind = gguf.GGMLQuantizationType.MXFP4
            shape = tuple(int(side) for side in reversed(tensor.shape))
            packed = gguf.quants.quantize(np.zeros(shape, np.float32), kind)
            writer.add_tensor(tensor.name, packed, raw_dtype=kind)
            continue
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    if change == "more":
        writer.add_tensor("vace_blocks.0.x", np.zeros(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert said in missing(library, "5b").problem


def test_a_file_says_itself_what_it_is_packed_in(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    """Q5_K_M, say, is a mixture: most of its bytes have another name."""
    reader = gguf.GGUFReader(written / "5b.gguf")
    writer = gguf.GGUFWriter(str(models / "5b.gguf"), "wan")
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_Q5_K_M))
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert library.entry("5b").spec.packed == "Q5_K_M"


def test_a_name_of_the_catalogue_stays_the_catalogues(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    shutil.copy(written / "5b.gguf", models / "TI2V-5B.gguf")
    assert library.entry("ti2v-5b").spec.repo, "it can still be fetched"
    assert library.entry("ti2v-5b-gguf").ready


def test_a_whole_pair_wins_over_a_half_of_the_same_name(
    library: FolderLibrary, models: Path, written: Path
) -> None:
    put(models, written, HIGH)
    put(models, written, HIGH, LOW, folder="whole")
    assert library.entry(KEY).ready
