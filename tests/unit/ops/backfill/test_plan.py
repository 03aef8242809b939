"""What a backfill makes again."""

import pytest

from aggregation_service.windows import Level, Target
from ops.backfill.changes import Counts
from ops.backfill.plan import DAY_S, Position, Range, Stretch, following, stored_levels
from shared.errors import PlumblineError

MINUTE, HOUR, DAY = (Level(width, 10 * DAY_S, 10 * DAY_S) for width in (60, 3_600, DAY_S))


def day(number: int, *, events: bool = True) -> Stretch:
    return Stretch(number * DAY_S, (number + 1) * DAY_S, events)


def test_a_range_is_widened_to_whole_buckets_of_each_level() -> None:
    span = Range(DAY_S + 3_630, DAY_S + 7_230, (60, 3_600, DAY_S))
    assert span.targets(day(1), [MINUTE, HOUR, DAY]) == [
        Target(60, DAY_S + 3_600, DAY_S + 7_260),
        Target(3_600, DAY_S + 3_600, DAY_S + 10_800),
        Target(DAY_S, DAY_S, 2 * DAY_S),
    ]
    assert span.whole() == (DAY_S, 2 * DAY_S)


def test_only_what_is_stored_is_made_again() -> None:
    span = Range(0, 3 * DAY_S, (60, DAY_S))
    levels = [Level(60, None, DAY_S + 120), HOUR, Level(DAY_S, None, None)]
    assert span.targets(day(1), levels) == [Target(60, DAY_S, DAY_S + 120)]
    assert span.targets(day(2), levels) == []


def test_days_go_on_where_it_stopped() -> None:
    span = Range(DAY_S, 4 * DAY_S, (60,))
    known = {number * DAY_S: True for number in (0, 3, 1, 2, 4, 9)}
    assert span.stretches(known, Position(0)) == [day(1), day(2), day(3)]
    assert span.stretches(known, Position(2 * DAY_S, 7)) == [day(2), day(3)]


def test_days_without_events_are_taken_together() -> None:
    known = {number * DAY_S: number in {2, 6} for number in (1, 2, 3, 4, 6, 7, 9)}
    assert Range(0, 99 * DAY_S, (60,)).stretches(known, Position(0)) == [
        day(1, events=False),
        day(2),
        Stretch(3 * DAY_S, 5 * DAY_S, events=False),
        day(6),
        day(7, events=False),
        day(9, events=False),
    ]


def test_a_level_that_is_not_stored_is_refused_with_those_that_are() -> None:
    assert stored_levels([MINUTE, HOUR], None) == (60, 3_600)
    assert stored_levels([MINUTE, HOUR], 3_600) == (3_600,)
    with pytest.raises(PlumblineError, match=r"15m isn't stored → choose from 1m, 1h"):
        stored_levels([MINUTE, HOUR], 900)
    with pytest.raises(PlumblineError, match="nothing is stored yet"):
        stored_levels([Level(60, None, None)], None)


def test_as_many_devices_are_taken_as_their_readings_and_rows_allow() -> None:
    assert following(1, Counts(), 1_000) == 8
    assert following(8, Counts(readings=80), 1_000) == 64
    assert following(8, Counts(readings=800), 1_000) == 10
    assert following(8, Counts(readings=80, compared=72), 1_000) == 10
    assert following(8, Counts(readings=80_000), 1_000) == 1
