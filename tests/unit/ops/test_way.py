"""An event's way: what its parts mean together."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.trace.way import Found, Position, Reading, Record, bucket, decoded, position, reading, verdict

OPEN: dict[str, Any] = {
    "id": 0, "topic_id": "A", "first_offset": 50, "next_offset": 80, "acked_offset": 70, "action": None,
    "reason": None, "new_topic_id": None, "new_offset": None, "low": None,
}  # fmt: skip
CLOSED: dict[str, Any] = {
    **OPEN, "id": 7, "first_offset": 10, "next_offset": 40, "acked_offset": 40, "action": "skip", "reason": "retention",
    "new_topic_id": "A", "new_offset": 50, "low": 45,
}  # fmt: skip
OLD: dict[str, Any] = {**CLOSED, "id": 3, "topic_id": "OLD", "new_topic_id": "A", "new_offset": 10, "low": 5}
RECORD = Record("t", 0, 1, None, None, b"{}", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3:1042", Position(None, 3, 1042)),
        ("telemetry.readings/3:1042", Position("telemetry.readings", 3, 1042)),
        ("a/b/0:0", Position("a/b", 0, 0)),
        ("dev-2", None),
        ("dev:2", None),
        ("3:", None),
        ("/3:1", None),
        ("3:-1", None),
    ],
)
def test_a_position_is_told_from_a_device(text: str, expected: Position | None) -> None:
    assert position(text) == expected


@pytest.mark.parametrize(
    ("offset", "state", "words"),
    [
        (60, "committed", "in the open chapter, 50 to 80"),
        (20, "committed", "in the chapter that decision 7 closed, 10 to 40"),
        (45, "skipped", "skipped by decision 7 (skip: retention)"),
        (7, "skipped", "skipped by decision 3"),
        (80, "waiting", "not read yet: the partition stands at 80"),
        (2, "unknown", "not of any chapter"),
    ],
)
def test_an_offset_belongs_to_a_chapter_or_to_what_lies_between(offset: int, state: str, words: str) -> None:
    found = reading([OLD, CLOSED, OPEN], "A", offset)
    assert found.state == state
    assert words in found.words


def test_the_latest_chapter_that_read_an_offset_counts() -> None:
    again = {**OPEN, "first_offset": 0, "next_offset": 60, "acked_offset": 15}
    assert reading([CLOSED, again], "A", 20) == Reading("committed", "committed in the open chapter, 0 to 60", 0, False)
    assert reading([CLOSED, again], "A", 10).acknowledged is True


def test_a_partition_that_nobody_has_read_waits() -> None:
    assert reading([], "A", 0).state == "waiting"
    assert reading([OPEN], "B", 60).state == "unknown"


def test_an_event_is_read_whatever_its_time() -> None:
    event = decoded(b'{"device":"d","ts":253402300799,"m":1}')
    assert event is not None
    assert event.names == ("m",)
    assert decoded(b"poison") is decoded(None) is None


@pytest.mark.parametrize(("level", "start"), [(60, "17:04:00"), (3_600, "17:00:00"), (86_400, "00:00:00")])
def test_the_bucket_of_a_time(level: int, start: str) -> None:
    ts = datetime(1969, 9, 9, 17, 4, 5, 600_000, UTC)
    assert bucket(ts, level).isoformat() == f"1969-09-09T{start}+00:00"


def test_the_verdict() -> None:
    nothing = Found()
    committed, waiting = Reading("committed", "committed", 0, True), Reading("waiting", "not read yet")
    letter = {"code": "malformed", "published_at": None, "replayed_at": None, "discarded_at": None}
    assert verdict(nothing) == (False, "nowhere")
    assert verdict(replace(nothing, events=[{}])) == (True, "stored")
    assert verdict(replace(nothing, dead_letter=letter)) == (True, "a dead letter (malformed), unpublished")
    assert verdict(replace(nothing, record=RECORD, read=waiting)) == (True, "in Kafka only, not read yet")
    assert verdict(replace(nothing, read=waiting)) == (False, "nowhere")
    there, words = verdict(replace(nothing, record=RECORD, read=committed))
    assert not there
    assert "lost" in words
