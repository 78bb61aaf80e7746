"""Deny by default: events, hosts, origins, uploads, media."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from reflex_base.registry import RegistrationContext
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.values import PLAN, a_request, an_output
from wan22_app import bootstrap
from wan22_app.adapters.db.migrate import migrate
from wan22_app.bootstrap import Services, build_services
from wan22_app.domain.account import LOCAL_PERSON, Person
from wan22_app.domain.job import JobState
from wan22_app.ports import NewJob
from wan22_app.services.gallery import Gallery
from wan22_app.settings import Settings
from wan22_app.wan22_app import app as reflex_app
from wan22_app.web import routes as web_routes
from wan22_app.web.guards import MAX_UPLOAD_BYTES, WRONG_PLACE, HeaderGuard, PlaceGuard, UploadGuard
from wan22_app.web.security import BUILT_IN, PolicyMiddleware, policy_of

HERE = {"host": "localhost:3000"}
REFUSED_BUILT_IN = {"setvar"}
"""Reaches any setter of any state, and no page of ours needs it."""


def client(*guards: object) -> TestClient:
    async def answer(request: object) -> PlainTextResponse:
        return PlainTextResponse("in")

    app: object = Starlette(
        routes=[
            Route("/", answer, methods=["GET", "POST"]),
            Route("/_upload", answer, methods=["POST"]),
            Route("/_upload/x", answer),
        ]
    )
    for guard in guards:
        app = guard(app)  # type: ignore[operator]
    return TestClient(app, base_url="http://localhost:3000")  # type: ignore[arg-type]


@pytest.fixture
def guarded() -> TestClient:
    hosts = frozenset({"studio.example.com"})
    return client(lambda app: PlaceGuard(app, hosts, one_port=True))


def test_every_handler_is_classified() -> None:
    assert reflex_app is not None
    handlers = RegistrationContext.get().event_handlers
    assert len(handlers) > 20
    unclassified = {
        name
        for name in handlers
        if policy_of(name) is None and name.rpartition(".")[2] not in REFUSED_BUILT_IN
    }
    ours = {name for name in unclassified if "wan22_app" in name}
    assert ours == set()
    assert {name.rpartition(".")[2] for name in unclassified} <= set(BUILT_IN)


@pytest.mark.parametrize("name", ["nonsense", "", "a.b.c", "reflex___state____state.setvar"])
def test_an_event_without_a_policy_is_answered_with_nothing(name: str) -> None:
    event = type("E", (), {"name": name, "payload": {"x": object()}})()
    update = asyncio.run(PolicyMiddleware().preprocess(reflex_app, None, event))  # type: ignore[arg-type]
    assert update is not None
    assert not update.delta


def test_an_event_of_ours_passes() -> None:
    name = next(
        n for n in RegistrationContext.get().event_handlers if n.endswith("stage_state.show")
    )
    event = type("E", (), {"name": name, "payload": {}})()
    assert asyncio.run(PolicyMiddleware().preprocess(reflex_app, None, event)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "origin", "method", "status"),
    [
        ("localhost:3000", None, "GET", 200),
        ("127.0.0.1:3000", None, "GET", 200),
        ("studio.example.com", "https://studio.example.com", "POST", 200),
        ("evil.example.com", None, "GET", 403),
        ("localhost.evil.example.com", None, "GET", 403),
        ("", None, "GET", 403),
        ("localhost:3000", "http://localhost:3000", "POST", 200),
        ("localhost:3000", "http://evil.example.com", "GET", 403),
        ("localhost:3000", "http://localhost:9999", "POST", 403),
        ("localhost:3000", "null", "POST", 403),
        ("localhost:3000", None, "POST", 403),
        ("localhost:3000", "http://[", "POST", 403),
    ],
)
def test_hosts_and_origins(
    guarded: TestClient, host: str, origin: str | None, method: str, status: int
) -> None:
    headers = {"host": host, **({"origin": origin} if origin else {})}
    assert guarded.request(method, "/", headers=headers).status_code == status


def test_a_websocket_needs_an_origin(guarded: TestClient) -> None:
    for headers in ({}, {"origin": "http://evil.example.com"}):
        with (
            pytest.raises(WebSocketDisconnect) as refusal,
            guarded.websocket_connect("/", headers=headers),
        ):
            pass
        assert refusal.value.code == WRONG_PLACE


def test_uploads_are_limited_and_never_served() -> None:
    guarded = client(lambda app: UploadGuard(app, "/_upload"))
    assert guarded.get("/_upload/x").status_code == 404
    assert guarded.post("/_upload", content=b"x").status_code == 200
    too_large = {"content-length": str(MAX_UPLOAD_BYTES + 1)}
    assert guarded.post("/_upload", content=b"x", headers=too_large).status_code == 413


def test_answers_carry_the_security_headers() -> None:
    headers = client(HeaderGuard).get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """An installation of its own behind the routes."""
    for name in ("data", "outputs", "models", "loras"):
        monkeypatch.setenv(f"WAN22_{name.upper()}", str(tmp_path / name))
    built = build_services(Settings())
    monkeypatch.setattr(web_routes, "services", lambda: built)
    assert bootstrap.services is not None
    return built


@pytest.fixture
def web(services: Services) -> TestClient:
    migrate(services.settings.database)
    return TestClient(web_routes.routes(), base_url="http://localhost:3000")


@pytest.fixture
def video(services: Services, web: TestClient) -> str:
    """The id of a published output."""
    jobs = services.jobs
    job = jobs.claim(jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key="k"), 10), PLAN)
    assert job is not None
    (services.settings.outputs / f"{job.id}.mp4").write_bytes(bytes(range(256)) * 4)
    assert jobs.succeed(job.id, job.epoch, an_output(job))
    return job.id


def test_health_waits_for_the_database(services: Services) -> None:
    web = TestClient(web_routes.routes())
    assert web.get("/healthz").status_code == 503
    migrate(services.settings.database)
    assert web.get("/healthz").json() == {"ok": True}


def test_a_video_is_served_with_ranges_and_without_repeats(web: TestClient, video: str) -> None:
    whole = web.get(f"/api/media/{video}/video")
    assert (whole.status_code, len(whole.content)) == (200, 1024)
    assert whole.headers["cache-control"].startswith("private")
    part = web.get(f"/api/media/{video}/video", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    head = web.head(f"/api/media/{video}/video")
    assert (head.status_code, head.headers["content-length"]) == (200, "1024")
    again = web.get(f"/api/media/{video}/video", headers={"if-none-match": whole.headers["etag"]})
    assert again.status_code == 304
    saved = web.get(f"/api/media/{video}/video?download=1")
    assert "attachment" in saved.headers["content-disposition"]


def test_a_preview_is_served_while_its_job_runs(services: Services, web: TestClient) -> None:
    jobs, staging = services.jobs, services.settings.staging
    waiting = jobs.add(LOCAL_PERSON, NewJob(request=a_request(), key="k"), 10)
    address = f"/api/preview/{waiting.id}"
    assert web.get(address).status_code == 204
    job = jobs.claim(waiting, PLAN)
    assert job is not None
    assert web.get(address).status_code == 204, "it is not there before the first step"
    path = staging / f"{job.id}.{job.epoch}.preview.part"
    red, blue = (Image.new("RGB", (4, 4), name) for name in ("red", "blue"))
    red.save(path, "WEBP", save_all=True, append_images=[blue], duration=100)
    for asked, frames in (("", 2), ("?v=7&still=1", 1)):
        seen = web.get(address + asked)
        assert (seen.status_code, seen.headers["content-type"]) == (200, "image/webp")
        with Image.open(io.BytesIO(seen.content)) as picture:
            assert getattr(picture, "n_frames", 1) == frames
            assert picture.convert("RGB").getpixel((2, 2))[0] > 200, "it begins red"
    assert jobs.end(job.id, job.epoch, JobState.CANCELLED)
    assert web.get(address).status_code == 204, "an ended job has none, and no error either"
    for stranger in ("0" * 32, job.id.upper(), "..%2f..%2fetc%2fpasswd"):
        assert web.get(f"/api/preview/{stranger}").status_code in (204, 404)
        assert not web.get(f"/api/preview/{stranger}").content.startswith(b"RIFF")


@pytest.mark.parametrize(
    "path",
    [
        "/api/media/{absent}/video",
        "/api/media/..%2f..%2fetc%2fpasswd/video",
        "/api/media/{video}/secrets",
        "/api/media/{video}/poster",
        "/api/media/{shout}/video",
        "/api/image/zz",
        "/api/image/" + "0" * 64,
    ],
)
def test_what_is_not_ours_looks_like_nothing(web: TestClient, video: str, path: str) -> None:
    """The poster's file is missing, too: it must not become a server error."""
    address = path.format(absent="0" * 32, video=video, shout=video.upper())
    answer = web.get(address)
    assert answer.status_code == 404


def test_a_file_that_goes_in_the_very_moment_looks_like_nothing(
    web: TestClient, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Gallery.path

    def found_and_gone(self: Gallery, person: Person, output_id: str, part: Any) -> Path:
        found = path(self, person, output_id, part)
        found.unlink()
        return found

    monkeypatch.setattr(Gallery, "path", found_and_gone)
    assert web.get(f"/api/media/{video}/video").status_code == 404


def test_a_video_in_the_bin_plays_until_the_bin_is_emptied(
    services: Services, web: TestClient, video: str
) -> None:
    services.gallery.delete(LOCAL_PERSON, video)
    assert web.get(f"/api/media/{video}/video").status_code == 200, "undo must play"
    assert services.gallery.empty_bin(LOCAL_PERSON) == 1
    assert web.get(f"/api/media/{video}/video").status_code == 404


def test_a_download_is_named_after_its_prompt(web: TestClient, video: str) -> None:
    saved = web.get(f"/api/media/{video}/video?download=1").headers["content-disposition"]
    assert f'filename="wan22-{video[:8]}.mp4"' in saved
    assert f"filename*=UTF-8''a-red-ball-{video[:8]}.mp4" in saved
