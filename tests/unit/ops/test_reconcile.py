"""The accounting identity."""

import pytest

from ops.reconcile import event_problems, partition_problems

GOOD = {
    "topic": "t", "partition": 0, "first_offset": 10, "next_offset": 110, "events_total": 98, "persisted": 90,
    "duplicates": 5, "dead_lettered": 3, "gaps": 2, "dead_letter_rows": 3, "end": 120,
}  # fmt: skip


def test_what_adds_up_is_no_problem() -> None:
    assert partition_problems(GOOD) == []
    assert event_problems(90, 90) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"next_offset": 111}, "101 offsets were read, but 100 outcomes"),
        ({"gaps": 1}, "100 offsets were read, but 99 outcomes"),
        ({"events_total": 97}, "events_total is 97"),
        ({"dead_letter_rows": 2}, "3 dead letters were counted, 2 are there"),
        ({"end": 109}, "read up to 110, but Kafka ends at 109"),
    ],
)
def test_each_way_of_not_adding_up_is_named(change: dict[str, int], problem: str) -> None:
    found = partition_problems({**GOOD, **change})
    assert len(found) == 1
    assert problem in found[0]


def test_events_that_are_missing_or_too_many_are_a_problem() -> None:
    assert event_problems(90, 89) == ["90 events were counted as persisted, 89 are stored"]
    assert event_problems(90, 91) != []
