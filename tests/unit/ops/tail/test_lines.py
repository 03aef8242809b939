"""What tail makes of records, and how much of it a terminal is given."""

import json
from datetime import UTC, datetime

import pytest

from ops.tail import lines
from ops.tail.budget import Budget
from ops.tail.lines import Line
from ops.trace.way import Record
from shared.events import Decoder, Limits

AT = 1_793_491_200
NOW_US = AT * 1_000_000


def record(
    value: bytes | None, key: bytes | None = None, offset: int = 7, headers: tuple[tuple[str, bytes], ...] = ()
) -> Record:
    return Record("t", 3, offset, AT + 0.25, key, value, headers)


def event(device: str, **metrics: float) -> bytes:
    return json.dumps({"device_id": device, "timestamp": AT, "data_payload": metrics}).encode()


def read(*records: Record) -> list[Line]:
    return lines.events(records, Decoder(Limits()), NOW_US)


def test_an_event_is_shown_with_its_place_and_its_lag() -> None:
    (line,) = read(record(event("dev-1", b=2.5, a=1)))
    assert line.metrics == {"a": 1.0, "b": 2.5}
    assert (line.time, line.lag_seconds) == (datetime.fromtimestamp(AT, UTC), 0.25)
    assert lines.sentence(line) == f"{line.time:%Y-%m-%dT%H:%M:%S}.000000Z  dev-1  a=1 b=2.5  3:7  +0.2 s"


def test_what_cannot_be_decoded_is_shown_by_its_code_in_its_place() -> None:
    found = read(
        record(event("dev-1", a=1)), record(b"{broken", b"dev-2"), record(event("dev-3", a=1), b"other"), record(None)
    )
    assert [(line.device, line.code) for line in found] == [
        ("dev-1", None), ("dev-2", "malformed"), ("other", "key_mismatch"), (None, "tombstone"),
    ]  # fmt: skip


def test_nothing_that_a_record_holds_controls_the_terminal() -> None:
    bad = lines.events([record(b"\x1b[31m", "dev\x1b[2J\u202e".encode())], Decoder(Limits()), NOW_US)
    ack = lines.texts([record(b'{"a": "\x1b]0;\x07\n"}')])
    for line in (*bad, *ack):
        assert lines.sentence(line).isprintable()


def test_many_metrics_and_long_texts_are_cut() -> None:
    (line,) = read(record(event("d", **{f"m{i}": i for i in range(20)})))
    assert "and 12 more" in lines.sentence(line)
    assert len(lines.sentence(lines.texts([record(b"x" * 10_000)])[0])) < 300


def test_a_dead_letter_says_why_and_where_it_was_read() -> None:
    headers = ((lines.CODE, b"bad_metric"), (lines.DETAIL, b"a name"), (lines.PARTITION, b"4"), (lines.OFFSET, b"99"))
    (line,) = lines.dead_letters([record(b"{}", b"dev-1", headers=headers)])
    assert (line.device, line.code, line.detail) == ("dev-1", "bad_metric", "a name (from 4:99)")


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        (None, ["dev-1", None], []),
        ("dev-1", ["dev-1"], ["dev-10", None, "DEV-1"]),
        ("dev-*", ["dev-1", "dev-"], ["xdev-1"]),
        ("a.c*[1]", ["a.cx[1]"], ["abc[1]"]),
        ("u\u0308-*", ["\u00fc-1"], []),
    ],
)
def test_a_pattern_means_devices_as_in_tokens(pattern: str, meant: list[str | None], others: list[str | None]) -> None:
    wanted = lines.matcher(pattern)
    assert all(wanted(device) for device in meant)
    assert not any(wanted(device) for device in others)


def test_a_terminal_is_given_so_many_lines_a_second_and_the_rest_is_counted() -> None:
    budget = Budget(10, now=0.0)
    assert budget.take(25, 0.0) == 10
    assert budget.take(5, 0.2) == 2
    assert budget.told() == 18
    assert budget.told() == 0
    assert budget.take(100, 60.0) == 10, "a pause saves up no more than a second's worth"


def test_without_a_limit_nothing_is_left_out() -> None:
    budget = Budget(0, now=0.0)
    assert (budget.take(10_000, 0.0), budget.told()) == (10_000, 0)
