"""The real backend in a process of its own, and clients that do not behave."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import socketio
from reflex_base.registry import RegistrationContext

from tests.server import Server, answers, start, status, stop, worker
from tests.tab import Tab, close, handler
from tests.values import PLAN, a_request
from wan22_app.adapters.locks import DISPATCHER, lock
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.events import Stage
from wan22_app.domain.job import JobState, Progress
from wan22_app.ports import NewJob
from wan22_app.settings import Settings

JUNK: tuple[Any, ...] = (None, [], {}, -1, 1e308, True, "x" * 20_000, [[[]]], {"a": {"b": []}})


@dataclass(frozen=True)
class Backend(Server):
    """A running web process and, from outside, the services over the same folders."""

    services: Services


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend over folders of its own.

    A held dispatcher lock keeps real dispatchers away: the tests themselves move the jobs.
    """
    base = tmp_path_factory.mktemp("backend")
    folders = {name: base / name for name in ("data", "outputs", "models", "loras")}
    services = build_services(Settings.model_validate(folders))
    with lock(services.settings.locks, DISPATCHER):
        server = start({f"WAN22_{name.upper()}": str(path) for name, path in folders.items()}, base)
        try:
            yield Backend(**vars(server), services=services)
        finally:
            stop(server)


@pytest.mark.parametrize("origin", ["http://evil.example.com", "null", "http://127.0.0.1:1"])
def test_a_page_elsewhere_gets_no_websocket(backend: Backend, origin: str) -> None:
    async def attempt() -> None:
        tab = Tab(backend)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await tab.open(origin)
        await close(tab)

    asyncio.run(attempt())


def test_the_worker_refuses_foreign_names_and_serves_no_uploads(backend: Backend) -> None:
    assert status(backend.url + "/healthz") == 200
    assert status(backend.url + "/healthz", Host="evil.example.com") == 403
    assert status(backend.url + "/_upload/anything") == 404
    assert status(backend.url + "/api/media/" + "0" * 32 + "/video") == 404
    assert status(backend.url + "/_all_routes") == 404


def test_junk_neither_kills_the_server_nor_the_tab(backend: Backend) -> None:
    """Unknown names, setters of Reflex, wrong types, missing and surplus fields."""

    async def attack() -> None:
        tab = await (await Tab(backend).open()).load()
        ours = [n for n in RegistrationContext.get().event_handlers if "wan22_app" in n]
        for name in ours:
            await tab.send(name, {"surplus": 1})
            for junk in JUNK:
                fields = ("name", "value", "key", "job_id", "output_id", "shape", "length", "files")
                await tab.send(name, dict.fromkeys(fields, junk))
                await tab.send(name, junk)
        for name in ("", "nonsense", "a.b.c", None, 7, ["x"]):
            await tab.send(name, {})
        await close(tab)
        fresh = await (await Tab(backend).open()).load()
        await close(fresh)

    before = worker(backend)
    asyncio.run(attack())
    assert worker(backend) == before
    assert answers(backend.url)
    assert backend.services.jobs.queue(LOCAL_PERSON) == []


def test_setvar_writes_nothing(backend: Backend) -> None:
    async def attempt() -> None:
        tab = await (await Tab(backend).open()).load()
        await tab.send(handler("live_state.setvar"), {"var_name": "ready", "value": False})
        tab.seen.clear()
        # One tab's events are handled in order, so this answer tells what the last one left.
        await tab.send(handler("state.hydrate"), {})
        await tab.until(lambda seen: "ready" in seen)
        assert tab.seen["ready"] is True
        await close(tab)

    asyncio.run(attempt())
    assert "refused event without a policy" in backend.log.read_text()


HALF = "\ud83d"
"""What is left of an emoji that was cut in two."""


def test_half_a_character_reaches_no_state(backend: Backend) -> None:
    """It can be neither stored nor sent: a state that held it would answer nothing any more."""
    jobs = backend.services.jobs

    async def attack() -> None:
        tab = await (await Tab(backend).open()).load()
        await tab.send(handler("outputs_state.load"), {}, "/outputs")
        await tab.send(handler("form_state.load"), {})
        await tab.until(lambda seen: "count" in seen and "prompt" in seen)
        for name, payload in (
            ("outputs_state.search", {"text": HALF}),
            ("queue_state.toggle_story", {"job_id": HALF}),
            ("detail_state.open", {"output_id": HALF}),
            ("form_state.change", {"name": "prompt", "value": HALF}),
            ("preference_state.type_name", {"name": HALF}),
        ):
            await tab.send(handler(name), payload, "/outputs")
        job = jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key="half"), 10)
        await tab.until(lambda seen: [each["id"] for each in seen["waiting"]] == [job.id])
        await tab.send(handler("form_state.change"), {"name": "prompt", "value": "a red ball"})
        await tab.until(lambda seen: seen["prompt"] == "a red ball")
        jobs.request_cancel(LOCAL_PERSON, job.id)
        await close(tab)

    asyncio.run(attack())
    assert "UnicodeEncodeError" not in backend.log.read_text()


def test_two_tabs_see_the_same_step_and_a_late_one_too(backend: Backend) -> None:
    jobs = backend.services.jobs

    async def watch() -> None:
        first, second = [await (await Tab(backend).open()).load() for _ in range(2)]
        queued = jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key="watched"), 10)
        job = jobs.claim(queued, PLAN)
        assert job is not None
        for step in (1, 2, 3):
            progress = Progress(stage=Stage.DENOISING, done=step, total=8, expert="high")
            assert jobs.record(job.id, job.epoch, progress)
        for tab in (first, second):
            await tab.until(lambda seen: seen["progress"]["count"] == "3/8")
        late = await (await Tab(backend).open()).load()
        assert late.seen["progress"]["count"] == "3/8"
        assert late.seen["focus"] == first.seen["focus"]
        await close(second)
        assert jobs.end(job.id, job.epoch, JobState.CANCELLED)
        await first.until(lambda seen: seen["focus"]["state"] == "cancelled")
        assert first.seen["running"] == []
        await close(first, late)

    asyncio.run(watch())


def test_a_step_sends_the_hot_part_and_no_list(backend: Backend) -> None:
    jobs = backend.services.jobs

    async def watch() -> None:
        tab = await (await Tab(backend).open()).load()
        queued = jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key="hot"), 10)
        job = jobs.claim(queued, PLAN)
        assert job is not None
        await tab.until(lambda seen: seen["focus"]["id"] == job.id)
        await tab.until(lambda seen: seen["focus"]["state"] == "running")
        tab.seen.clear()
        progress = Progress(stage=Stage.DENOISING, done=5, total=8, expert="low")
        assert jobs.record(job.id, job.epoch, progress)
        await tab.until(lambda seen: seen.get("progress", {}).get("count") == "5/8")
        assert set(tab.seen) <= {"progress", "machine"}
        assert jobs.end(job.id, job.epoch, JobState.CANCELLED)
        await close(tab)

    asyncio.run(watch())


def test_the_web_process_has_no_torch(backend: Backend) -> None:
    """Looks at the libraries that the living worker has mapped, after the tests above used it."""
    process = psutil.Process(worker(backend))
    if not hasattr(process, "memory_maps"):
        pytest.skip("this system does not tell which libraries a process has loaded")
    mapped = [each.path for each in process.memory_maps()]
    assert any("python" in path for path in mapped)
    assert not [path for path in mapped if "torch" in path.lower()]
