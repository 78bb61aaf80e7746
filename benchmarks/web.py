"""``python -m benchmarks.web``: how quick the pages stay while a job runs.

A real backend over a database with 1,000 outputs and 200 ended jobs, a real engine at work on a
long demo job, and tabs on the real websocket: round trips of the events that people cause most,
the milliseconds around a job, and the web process's memory and idle load. Prints a table and
writes ``benchmarks/results/web.json``.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlmodel import Session

from benchmarks.report import publish
from tests.server import Server, start, stop, worker
from tests.tab import Tab, close, handler
from tests.values import a_request
from wan22_app.adapters.db.counters import NUMBER
from wan22_app.adapters.db.engine import create_engine, write
from wan22_app.adapters.db.migrate import migrate
from wan22_app.adapters.db.tables import CounterRow, JobRow, OutputRow
from wan22_app.bootstrap import Services, build_services
from wan22_app.demo import provide
from wan22_app.domain.account import LOCAL_PERSON
from wan22_app.domain.job import JobState
from wan22_app.settings import Settings

IDLE_S = 10.0
Times = dict[str, list[float]]


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", type=int, default=1000)
    parser.add_argument("--ended", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=150)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), args)
    publish("web", report)
    return 0


def measure(base: Path, args: argparse.Namespace) -> dict[str, object]:
    """Everything, in one run."""
    places = {name: base / name for name in ("data", "outputs", "models", "loras")}
    services = build_services(Settings.model_validate(places))
    provide(places["models"])
    migrate(services.settings.database)
    fill(services, args.outputs, args.ended)
    server = start({f"WAN22_{name.upper()}": str(path) for name, path in places.items()}, base)
    try:
        idle = idle_load(server)
        times = asyncio.run(round_trips(server, services, args.rounds))
        fixed = asyncio.run(around_a_job(server, services))
        memory = psutil.Process(worker(server)).memory_info().rss
    finally:
        stop(server)
    return {
        "database": {"outputs": args.outputs, "ended_jobs": args.ended},
        "round_trips_ms": {name: summary(values) for name, values in times.items()},
        "around_a_job_ms": fixed,
        "web_process": {**idle, "rss_mb_after": round(memory / 1e6)},
        "machine": f"{psutil.cpu_count()} cores, engine busy at lower priority",
    }


def fill(services: Services, outputs: int, ended: int) -> None:
    """Rows of a long-used installation, in one transaction."""
    request = a_request(prompt="a red ball rolls to the left across a wooden floor")
    start = datetime.now(UTC) - timedelta(days=30)

    def work(session: Session) -> None:
        for number in range(1, outputs + ended + 1):
            moment = start + timedelta(minutes=number)
            job = JobRow(
                id=secrets.token_hex(16), number=number, place=number, owner=LOCAL_PERSON.id,
                key=str(number), request=request.model_dump_json(), state=str(JobState.SUCCEEDED),
                created_at=moment, started_at=moment, finished_at=moment + timedelta(seconds=30),
                removed_at=moment if number <= outputs else None,
            )  # fmt: skip
            session.add(job)
            session.flush()
            if number <= outputs:
                session.add(output_row(job, request.prompt))
        counter = session.get(CounterRow, NUMBER)
        assert counter is not None
        counter.value = outputs + ended

    write(create_engine(services.settings.database), work)


def output_row(job: JobRow, prompt: str) -> OutputRow:
    """A row without files: the pages' work does not depend on what the posters show."""
    return OutputRow(
        id=job.id, owner=job.owner, request=job.request, video=f"{job.id}.mp4",
        poster=f"{job.id}.webp", width=160, height=90, frames=17, fps=8, bytes=1,
        sha256="0" * 64, latents_sha256="1" * 64, seconds=json.dumps({"denoising": 1.0}),
        created_at=job.created_at, model="demo-t2v", search=prompt,
    )  # fmt: skip


def idle_load(server: Server) -> dict[str, float]:
    """Memory and processor of the web worker while nobody looks."""
    process = psutil.Process(worker(server))
    process.cpu_percent()
    time.sleep(IDLE_S)
    return {
        "idle_cpu_percent": round(process.cpu_percent(), 2),
        "rss_mb": round(process.memory_info().rss / 1e6),
    }


async def round_trips(server: Server, services: Services, rounds: int) -> Times:
    """Send, wait for the answer, again; while the engine denoises a long job."""
    tab = await (await Tab(server).open()).load()
    await tab.send(handler("form_state.load"), {})
    await tab.until(lambda seen: "verdict" in seen)
    job = submit(services, steps=200, side=384)
    await tab.until(lambda seen: seen.get("progress", {}).get("stage") == "denoising")
    times: Times = {}
    for number in range(rounds):
        for name, once in events(tab, number).items():
            begin = time.perf_counter()
            await once()
            times.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
    assert services.queue.get(LOCAL_PERSON, job).state is JobState.RUNNING, "no longer busy"
    services.queue.cancel(LOCAL_PERSON, job)
    await tab.until(lambda seen: seen.get("progress", {}).get("job_id") == "")
    await close(tab)
    return times


def events(tab: Tab, number: int) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """What people do most; each waits until its own change has come back."""

    async def type_prompt() -> None:
        text = f"a red ball rolls to the left, {number}"
        await tab.send(handler("form_state.change"), {"name": "prompt", "value": text})
        await tab.until(lambda seen: seen.get("prompt") == text)

    async def filter_ended() -> None:
        kind = ("succeeded", "all")[number % 2]
        await tab.send(handler("queue_state.choose_kind"), {"kind": kind})
        await tab.until(lambda seen: seen.get("kind") == kind)

    async def search() -> None:
        words = ("red ball", "wooden floor")[number % 2]
        await tab.send(handler("outputs_state.search"), {"text": words})
        await tab.until(lambda seen: seen.get("text") == words)

    return {"type in the prompt": type_prompt, "filter the queue": filter_ended,
            "search the outputs": search}  # fmt: skip


async def around_a_job(server: Server, services: Services) -> dict[str, float]:
    """Milliseconds of a small warm job: from the submission to each of its turns, seen by a tab."""
    tab = await (await Tab(server).open()).load()
    found: dict[str, float] = {}
    for _ in range(2):  # the first one warms the engine up
        begin = time.perf_counter()
        job = submit(services, steps=8, side=96)
        found["submit"] = since(begin)
        await tab.until(lambda seen, job=job: seen["focus"]["id"] == job)
        found["submit to tab"] = since(begin)
        await tab.until(lambda seen, job=job: seen["progress"]["job_id"] == job)
        found["submit to started in tab"] = since(begin)
        await tab.until(lambda seen: seen["focus"]["state"] == "succeeded")
        found["submit to video in tab"] = since(begin)
        done = services.queue.get(LOCAL_PERSON, job)
        assert done.started_at is not None
        found["row: queued to claimed"] = between(done.created_at, done.started_at)
        output = services.gallery.get(LOCAL_PERSON, job)
        assert done.finished_at is not None
        ran = sum(output.seconds.values()) * 1000
        found["claimed to published, less the engine's stages"] = round(
            between(done.started_at, done.finished_at) - ran, 1
        )
    await close(tab)
    return found


def submit(services: Services, *, steps: int, side: int) -> str:
    """A demo job."""
    fields = {"model": "demo-t2v", "prompt": "a red ball", "steps": steps, "width": side,
              "height": side, "seed": 7}  # fmt: skip
    return services.submission.submit(LOCAL_PERSON, fields, secrets.token_hex(16)).id


def since(begin: float) -> float:
    """Milliseconds, to a tenth."""
    return round((time.perf_counter() - begin) * 1000, 1)


def between(first: datetime, second: datetime) -> float:
    """Milliseconds, to a tenth."""
    return round((second - first).total_seconds() * 1000, 1)


def summary(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum, in milliseconds."""
    cuts = statistics.quantiles(values, n=20)
    return {"p50": round(statistics.median(values), 1), "p95": round(cuts[-1], 1),
            "max": round(max(values), 1), "n": len(values)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
