"""Names of downloads: speaking, safe on every disk, in every script."""

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import a_request
from wan22_app.domain.output import Output
from wan22_app.web.filenames import attachment, download_name

ID = "1f2e3d4c" * 4


def an_output(prompt: str) -> Output:
    request = a_request().model_copy(update={"prompt": prompt})
    return Output(
        id=ID, owner="local", request=request, video="", poster="", width=2, height=2, frames=1,
        fps=1, bytes=1, sha256="", latents_sha256="", seconds={}, created_at=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red ball, rolling!", "A-red-ball-rolling-1f2e3d4c.mp4"),
        ("Straßenkäfer", "Straßenkäfer-1f2e3d4c.mp4"),
        ("犬が走る。", "犬が走る-1f2e3d4c.mp4"),
        ("كلب يجري", "كلب-يجري-1f2e3d4c.mp4"),
        ("🎈🎈", "video-1f2e3d4c.mp4"),
        ("../../etc/passwd", "etc-passwd-1f2e3d4c.mp4"),
        ('a"b\r\nSet-Cookie: x', "a-b-Set-Cookie-x-1f2e3d4c.mp4"),
        ("word " * 30, "-".join(["word"] * 12) + "-1f2e3d4c.mp4"),
        ("犬" * 100, "犬" * 60 + "-1f2e3d4c.mp4"),
    ],
)
def test_a_prompt_becomes_a_name(prompt: str, name: str) -> None:
    assert download_name(an_output(prompt)) == name


@given(st.text(min_size=1, max_size=200))
def test_any_prompt_makes_a_header_of_one_plain_line(prompt: str) -> None:
    name = download_name(an_output(prompt))
    assert not set(name) & set('/\\:*?"<>|\r\n\t\0')
    assert len(name.encode()) <= 255
    header = attachment(name, ID)
    assert header.isascii()
    assert header.isprintable()
    assert unquote(header.rpartition("''")[2]) == name
