"""Decoded events → rows for the table."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service import columns
from ingestion_service.columns import Rows
from shared.events import Decoder, Limits
from tests.unit.ingestion_service.records import NOW_US, event

DEVICES = {"a": 2, "b": 1}
LAYOUTS = {("x",): 10, ("x", "y"): 11, (): 12}


def rows_of(*values: bytes) -> list[Rows]:
    return columns.build(Decoder(Limits()).decode(values, NOW_US).groups, DEVICES, LAYOUTS)


def test_rows_are_sorted_by_device_and_time_whatever_form_they_came_in() -> None:
    flat = b'{"device":"a","ts":1793491205,"x":3,"note":"n"}'
    (rows,) = rows_of(event("a", 9, x=1), event("b", 2, x=2), flat, event("b", 1, x=4))
    assert rows.device.tolist() == [1, 1, 2, 2]
    assert rows.values.ravel().tolist() == [4, 2, 3, 1]
    assert rows.position.tolist() == [3, 1, 2, 0]
    assert rows.extras is not None
    assert rows.extras.tolist() == [None, None, b'{"note":"n"}', None]


def test_metrics_in_another_order_are_the_same_layout() -> None:
    (rows,) = rows_of(event("a", 1, y=1, x=2), event("a", 2, x=3, y=4))
    assert rows.layout == 11
    assert rows.values.tolist() == [[2, 1], [3, 4]]


def test_of_repeated_identities_the_first_stays_and_others_conflict_if_they_differ() -> None:
    (rows,) = rows_of(*(event("a", second, x=x) for second, x in [(1, 5), (2, 6), (1, 5), (1, 7), (2, 6)]))
    same, differs = columns.repeated(rows)
    assert sorted(rows.position[same].tolist()) == [2, 3, 4]
    assert rows.position[differs].tolist() == [3]


def test_negative_zero_is_no_conflict_and_an_event_without_metrics_can_repeat() -> None:
    for rows in (*rows_of(event("a", 1, x=0.0), event("a", 1, x=-0.0)), *rows_of(event("a", 1), event("a", 1))):
        same, differs = columns.repeated(rows)
        assert same.tolist() == [False, True]
        assert not differs.any()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=30))
def test_repeated_equals_a_dictionary_that_keeps_the_first(events: list[tuple[str, int, int]]) -> None:
    (rows,) = rows_of(*(event(d, s, x=x) for d, s, x in events))
    first: dict[tuple[str, int], int] = {}
    repeats, conflicts = [], []
    for position, (device, second, x) in enumerate(events):
        if (device, second) in first:
            repeats.append(position)
            if first[device, second] != x:
                conflicts.append(position)
        else:
            first[device, second] = x
    same, differs = columns.repeated(rows)
    assert sorted(rows.position[same].tolist()) == repeats
    assert sorted(rows.position[differs].tolist()) == conflicts


def test_copy_blocks_are_the_bytes_that_the_format_asks_for() -> None:
    flat = b'{"device":"a","ts":1793491205,"x":-0.0,"note":"n"}'
    (rows,) = rows_of(event("b", 2, x=1.5), flat)
    blocks = b"".join(columns.copy_blocks(rows, np.array([8, 9], np.int32)))
    since_2000 = 1_793_491_200 - 946_684_800

    def row(device: int, second: int, value: float, extras: bytes | None, number: int) -> bytes:
        array = struct.pack(">iiiiii", 1, 0, 701, 1, 1, 8) + struct.pack(">d", value)
        json_bytes = None if extras is None else b"\x01" + extras
        values = (
            struct.pack(">i", device), struct.pack(">q", (since_2000 + second) * 1_000_000), struct.pack(">i", 10),
            array, json_bytes, struct.pack(">i", number),
        )  # fmt: skip
        fields = (struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v for v in values)
        return struct.pack(">h", len(values)) + b"".join(fields)

    assert blocks == row(1, 2, 1.5, None, 8) + row(2, 5, -0.0, b'{"note":"n"}', 9)


def test_an_event_without_metrics_has_an_array_without_dimensions() -> None:
    (rows,) = rows_of(event("a", 1))
    (block,) = columns.copy_blocks(rows)
    assert struct.pack(">iiii", 12, 0, 0, 701) in block


def test_late_events_are_counted_by_bucket_device_and_layout() -> None:
    rows = rows_of(
        event("a", 5, x=1), event("a", 59, x=1), event("a", 60, x=1), event("b", 0, x=1, y=2), event("a", 130, x=1)
    )
    minute = 60_000_000
    late = columns.late_buckets(rows, minute, (1_793_491_200 + 120) * 1_000_000)
    assert late is not None
    found = zip(
        (late.bucket // minute - 1_793_491_200 // 60).tolist(),
        late.device.tolist(),
        late.layout.tolist(),
        late.events.tolist(),
        strict=True,
    )
    assert sorted(found) == [(0, 1, 11, 1), (0, 2, 10, 2), (1, 2, 10, 1)]
    assert columns.late_buckets(rows, minute, 1_793_491_200 * 1_000_000) is None
