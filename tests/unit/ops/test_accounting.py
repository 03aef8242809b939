"""The accounting identity."""

from typing import Any

import pytest

from ops.accounting import event_problems, partitions
from ops.broker import Held

OPEN: dict[str, Any] = {
    "topic": "t", "partition": 0, "topic_id": "A", "first_offset": 10, "next_offset": 110, "events_total": 98,
    "persisted": 90, "duplicates": 5, "dead_lettered": 3, "gaps": 2, "decision": None, "new_topic_id": None,
    "new_offset": None, "low": None,
}  # fmt: skip
CLOSED: dict[str, Any] = {
    **OPEN, "first_offset": 0, "next_offset": 7, "events_total": 7, "persisted": 6, "duplicates": 0,
    "dead_lettered": 1, "gaps": 0, "decision": 1, "new_topic_id": "A", "new_offset": 10, "low": 2,
}  # fmt: skip
LETTERS = {("A", 0): 4}
HELD = {"t": Held("A", {0: (2, 120)})}


def test_what_adds_up_over_all_chapters_is_no_problem() -> None:
    (row,) = partitions([CLOSED, OPEN], LETTERS, HELD)
    assert row["problems"] == []
    assert (row["persisted"], row["dead_lettered"], row["chapters"], row["skipped"], row["lag"]) == (96, 4, 2, 3, 10)
    assert event_problems(90, 90) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"next_offset": 111}, "t[0]: 101 offsets were read, but 100 outcomes"),
        ({"gaps": 1}, "t[0]: 100 offsets were read, but 99 outcomes"),
        ({"events_total": 97}, "t[0]: events_total is 97"),
    ],
)
def test_each_way_of_not_adding_up_is_named(change: dict[str, int], problem: str) -> None:
    (row,) = partitions([CLOSED, {**OPEN, **change}], LETTERS, HELD)
    assert len(row["problems"]) == 1
    assert problem in row["problems"][0]


def test_a_closed_chapter_that_does_not_add_up_is_named() -> None:
    (row,) = partitions([{**CLOSED, "gaps": 1}, OPEN], LETTERS, HELD)
    assert row["problems"] == ["t[0]: of chapter 0 to 7, 7 offsets were read, but 8 outcomes and gaps were counted"]
    assert row["unaccounted"] == -1


def test_a_partition_that_was_retired_still_adds_up() -> None:
    retired = {**OPEN, "decision": 2, "gaps": 1}
    (row,) = partitions([CLOSED, retired], LETTERS, {"t": Held("B", {})})
    assert row["problems"] == [
        "t[0]: of chapter 10 to 110, 100 offsets were read, but 99 outcomes and gaps were counted"
    ]
    assert (row["end"], row["lag"], row["skipped"], row["persisted"]) == (None, None, 3, 96)


def test_dead_letters_are_counted_by_topic_id() -> None:
    old = {**CLOSED, "topic_id": "B"}
    assert partitions([old, OPEN], {("A", 0): 3, ("B", 0): 1}, HELD)[0]["problems"] == []
    (row,) = partitions([old, OPEN], {("A", 0): 3}, HELD)
    assert row["problems"] == ["t[0]: 4 dead letters were counted, 3 are there"]
    assert row["missing_dead_letters"] == 1


def test_reading_past_the_end_is_a_problem_but_a_new_topics_end_says_nothing() -> None:
    short = {"t": Held("A", {0: (0, 109)})}
    assert "read up to 110, but Kafka ends at 109" in partitions([CLOSED, OPEN], LETTERS, short)[0]["problems"][0]
    for other in ({}, {"t": Held("B", {0: (0, 5)})}):
        (row,) = partitions([CLOSED, OPEN], LETTERS, other)
        assert (row["problems"], row["end"], row["lag"]) == ([], None, None)


@pytest.mark.parametrize(
    ("decision", "skipped"),
    [
        ({"new_offset": 7}, 0),
        ({"new_offset": 3}, 0),
        ({"new_topic_id": "B", "new_offset": 9, "low": 2}, 7),
        ({"new_topic_id": "B", "new_offset": 2, "low": 2}, 0),
    ],
)
def test_what_a_decision_skipped(decision: dict[str, Any], skipped: int) -> None:
    assert partitions([{**CLOSED, **decision}, OPEN], LETTERS, HELD)[0]["skipped"] == skipped


def test_events_that_are_missing_or_too_many_are_a_problem() -> None:
    assert event_problems(90, 89) == ["90 events were counted as persisted, 89 are stored"]
    assert event_problems(90, 91) != []
