"""Bringing a repository over real HTTP: whole, cut, wrong, refused, offline."""

import re
import shutil
import socket
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from tests.fake_hub import FakeHub, Fault, entry
from tests.weights.conftest import Client
from wan22_app.adapters.hub import is_wanted
from wan22_app.adapters.incoming import IncomingFolders
from wan22_app.domain.catalog import TI2V_5B
from wan22_app.domain.download import RemoteFile
from wan22_app.domain.errors import UserError
from wan22_app.ports import HubTrouble

BIG = "transformer/diffusion_pytorch_model.safetensors"
UNWANTED = {"README.md", "transformer/pytorch_model.bin", "assets/picture.json"}


def wanted_files(hub: FakeHub) -> set[str]:
    return set(hub.files()) - UNWANTED


def size(hub: FakeHub, name: str = BIG) -> int:
    return hub.files()[name].stat().st_size


def test_a_whole_repository_becomes_a_ready_model(client: Client, hub: FakeHub) -> None:
    assert not client.entry.ready
    client.bring()
    assert client.entry.ready
    assert client.has() == wanted_files(hub)
    for name in client.has():
        here, there = client.folder / name, hub.files()[name]
        assert here.read_bytes() == there.read_bytes()
    last = client.heard[-1]
    assert last.done == last.total == sum(size(hub, name) for name in client.has())
    assert not (client.models / ".downloads" / client.folder.name).exists()


def test_nothing_but_the_folders_own_files_is_asked_for(client: Client, hub: FakeHub) -> None:
    client.bring()
    assert {name for name in hub.served if name} == wanted_files(hub)
    assert all(hub.commit in request for request in hub.requests if "/resolve/" in request)


def test_a_cut_connection_goes_on_where_it_broke(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, cut_after=1_000_000), Fault(BIG, cut_after=500_000)]
    client.bring()
    assert client.entry.ready
    assert hub.served[BIG] == size(hub)


def test_a_bad_line_that_brings_something_each_time_is_never_given_up(
    client: Client, hub: FakeHub
) -> None:
    hub.faults = [Fault(BIG, cut_after=200_000) for _ in range(8)]
    client.bring()
    assert client.entry.ready
    assert hub.served[BIG] == size(hub)


def test_a_new_start_fetches_nothing_again(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, cut_after=1_000_000), Fault(BIG, times=9, status=503)]
    with pytest.raises(HubTrouble):
        client.bring()
    assert client.entry.state == "missing", "half a model must not look like one"
    hub.faults = []
    client.heard.clear()
    client.bring()
    assert client.entry.ready
    assert client.heard[0].done > 1_000_000
    assert {name: hub.served[name] for name in client.has()} == {
        name: size(hub, name) for name in client.has()
    }


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_answers_that_may_pass_are_waited_for(client: Client, hub: FakeHub, status: int) -> None:
    hub.faults = [Fault("/api/", times=2, status=status), Fault(BIG, times=2, status=status)]
    client.bring()
    assert client.entry.ready
    assert len(client.waits) >= 3


def test_a_hub_that_says_when_is_not_asked_sooner(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, status=429, headers={"Retry-After": "7"})]
    client.bring()
    assert max(client.waits) >= 7


def test_a_silent_hub_is_asked_again(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, pause_after=100_000)]
    client.bring()
    assert client.entry.ready
    assert hub.served[BIG] <= size(hub) + 100_000


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "hub_401"),
        (403, {}, "hub_403"),
        (404, {"X-Error-Code": "RepoNotFound"}, "hub_404"),
        (403, {"X-Error-Code": "GatedRepo"}, "hub_gated"),
    ],
)
def test_a_refusal_is_not_repeated_and_says_what_to_do(
    client: Client, hub: FakeHub, status: int, headers: dict[str, str], code: str
) -> None:
    hub.faults = [Fault("/api/", times=9, status=status, headers=headers)]
    with pytest.raises(UserError) as refusal:
        client.bring()
    problem = refusal.value.problem
    assert problem.code == code
    assert TI2V_5B.repo in problem.what
    assert problem.cure
    assert ("HF_TOKEN" in problem.cure) is (status != 404)
    assert len(hub.requests) == 1
    assert client.waits == []


def test_a_wrong_byte_is_thrown_away_and_fetched_again(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, flip=True)]
    client.bring()
    assert client.entry.ready
    assert hub.served[BIG] == 2 * size(hub)
    assert client.heard[-1].done == client.heard[-1].total


@pytest.mark.parametrize("name", [BIG, "model_index.json"])
def test_bytes_that_stay_wrong_are_refused(client: Client, hub: FakeHub, name: str) -> None:
    hub.faults = [Fault(name, times=9, flip=True)]
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code == "weights_wrong"
    assert name in refusal.value.problem.what
    assert not client.folder.exists()
    assert not client.entry.ready


def test_too_small_a_disk_is_said_with_both_figures_before_the_first_byte(
    client: Client, hub: FakeHub
) -> None:
    client.reserve = 10**18
    with pytest.raises(UserError) as refusal:
        client.bring()
    problem = refusal.value.problem
    assert problem.code == "weights_no_room"
    assert re.search(r"0\.0 GB are to come, [0-9]+\.[0-9] GB are free", problem.what)
    assert not any(hub.served[name] for name in hub.files())


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_without_a_hub_and_without_a_cache_it_says_both(client: Client) -> None:
    client.endpoint = nowhere()
    with pytest.raises(HubTrouble) as trouble:
        client.bring()
    assert trouble.value.problem.code == "hub_unreachable"
    assert "network" in trouble.value.problem.cure


def filled_cache(client: Client, hub: FakeHub) -> None:
    """By the library itself, as other programs on this machine would have."""
    snapshot_download(
        TI2V_5B.repo, cache_dir=client.cache, endpoint=hub.url, allow_patterns=["*.json", "*/*"]
    )


def test_without_a_hub_the_cache_will_do(client: Client, hub: FakeHub) -> None:
    filled_cache(client, hub)
    client.endpoint = nowhere()
    client.bring()
    assert client.entry.ready
    assert client.has() == wanted_files(hub)


def test_what_the_cache_has_is_not_fetched(client: Client, hub: FakeHub) -> None:
    filled_cache(client, hub)
    hub.served.clear()
    client.bring()
    assert client.entry.ready
    assert not any(hub.served[name] for name in wanted_files(hub))


def test_a_spoilt_cache_is_found_out(client: Client, hub: FakeHub) -> None:
    filled_cache(client, hub)
    blob = next(client.cache.rglob(BIG)).resolve()
    spoilt = bytearray(blob.read_bytes())
    spoilt[-1] ^= 1
    blob.write_bytes(spoilt)
    client.endpoint = nowhere()
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code == "weights_wrong"


def test_half_a_cache_is_none(client: Client, hub: FakeHub) -> None:
    filled_cache(client, hub)
    next(client.cache.rglob(BIG)).unlink()
    client.endpoint = nowhere()
    with pytest.raises(HubTrouble):
        client.bring()
    assert not client.folder.exists()


def test_a_repository_that_moved_on_is_asked_anew(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault(BIG, times=9, status=503)]
    with pytest.raises(HubTrouble):
        client.bring()
    hub.faults, hub.commit = [], "d" * 40
    kept = sum(hub.served.values())
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code == "hub_changed"
    client.bring()
    assert client.entry.ready
    assert sum(hub.served.values()) < kept + size(hub) + 10_000, "equal files are kept"


def test_a_damaged_model_is_replaced_by_a_sound_one(client: Client, hub: FakeHub) -> None:
    shutil.copytree(hub.folder(), client.folder)
    (client.folder / BIG).write_bytes(b"cut short")
    assert client.entry.state == "damaged"
    client.bring()
    assert client.entry.ready
    assert sorted(path.name for path in (client.models / ".downloads").iterdir()) == []


def test_another_model_under_the_right_name_is_refused(client: Client, hub: FakeHub) -> None:
    settings = hub.files()["demo_settings.json"]
    settings.write_text(settings.read_text().replace('"ti2v-5b"', '"t2v-a14b"'))
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code == "weights_strange"
    assert not client.folder.exists()


def test_a_repository_without_a_diffusers_folder_is_refused(client: Client, hub: FakeHub) -> None:
    hub.files()["model_index.json"].unlink()
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code == "hub_no_folder"


def test_a_page_that_is_no_hub_is_recognised(client: Client, hub: FakeHub) -> None:
    hub.faults = [Fault("/api/", times=9, status=200)]
    with pytest.raises(UserError) as refusal:
        client.bring()
    assert refusal.value.problem.code in ("hub_no_folder", "hub_odd")


@pytest.mark.parametrize(
    "path",
    [
        "../evil.json", "/etc/x.json", "transformer/../../x.json", "transformer//x.json",
        "transformer\\x.json", "transformer/c:x.json", "transformer/x.bin", "transformer/x.py",
        "other/x.safetensors", "x.json", "vae/deep/x.json", ".git/config.json", "vae/", "",
    ],
)  # fmt: skip
def test_a_hub_cannot_name_files_outside_a_diffusers_folder(path: str) -> None:
    assert not is_wanted(path)


def test_the_fakes_hashes_are_those_of_git(tmp_path: Path) -> None:
    """Guards the fake: its git names must be git's own."""
    file = tmp_path / "hello.txt"
    file.write_bytes(b"hello\n")
    assert entry("hello.txt", file)["oid"] == "ce013625030ba8dba906f756967f9e9ca394464a"


def _die() -> None:
    raise KeyboardInterrupt  # nobody handles it: as good as a kill


@pytest.mark.parametrize("moment", ["mark", "tidy", "publish"])
def test_a_death_at_an_awkward_moment_fetches_nothing_again(
    client: Client, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Between a file and its mark, between tidying and moving, between moving and the verdict."""
    tidy, publish, mark = IncomingFolders._tidy, IncomingFolders.publish, IncomingFolders._mark

    def tidy_and_die(self: IncomingFolders, repo: str) -> None:
        tidy(self, repo)
        _die()

    def publish_and_die(self: IncomingFolders, repo: str, key: str) -> None:
        publish(self, repo, key)
        _die()

    def mark_or_die(self: IncomingFolders, repo: str, file: RemoteFile) -> Path:
        if self._path(repo, file).is_file() and not mark(self, repo, file).exists():
            _die()
        return mark(self, repo, file)

    with monkeypatch.context() as patch:
        if moment == "mark":
            patch.setattr(IncomingFolders, "_mark", mark_or_die)
        if moment == "tidy":
            patch.setattr(IncomingFolders, "_tidy", tidy_and_die)
        if moment == "publish":
            patch.setattr(IncomingFolders, "publish", publish_and_die)
        with pytest.raises(KeyboardInterrupt):
            client.bring()
    client.bring()
    assert client.entry.ready
    assert {name: hub.served[name] for name in client.has()} == {
        name: size(hub, name) for name in client.has()
    }
    assert client.heard[-1].done == client.heard[-1].total
