"""What an engine says is read line by line, for months."""

import tracemalloc
import uuid

from wan22_app.domain.events import Alive, parse_event


def read(count: int) -> None:
    for _ in range(count):
        said = Alive(job_id=uuid.uuid4().hex)
        assert parse_event(said.model_dump_json()) == said


def test_reading_leaves_nothing_behind() -> None:
    """Pydantic would keep each short string, and every job has an id of its own."""
    read(10)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    read(500)
    grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    tracemalloc.stop()
    kept = sum(each.size_diff for each in grown if "pydantic" in each.traceback[0].filename)
    assert kept < 500, "bytes"
