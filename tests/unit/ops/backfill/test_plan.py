"""What a backfill makes again."""

import pytest

from aggregation_service.windows import Level, Target
from ops.backfill.plan import DAY_S, Position, Range, stored_levels
from shared.errors import PlumblineError

MINUTE, HOUR, DAY = (Level(width, 10 * DAY_S, 10 * DAY_S) for width in (60, 3_600, DAY_S))


def test_a_range_is_widened_to_whole_buckets_of_each_level() -> None:
    span = Range(DAY_S + 3_630, DAY_S + 7_230, (60, 3_600, DAY_S))
    assert span.targets(DAY_S, [MINUTE, HOUR, DAY]) == [
        Target(60, DAY_S + 3_600, DAY_S + 7_260),
        Target(3_600, DAY_S + 3_600, DAY_S + 10_800),
        Target(DAY_S, DAY_S, 2 * DAY_S),
    ]
    assert span.whole() == (DAY_S, 2 * DAY_S)


def test_only_what_is_stored_is_made_again() -> None:
    span = Range(0, 3 * DAY_S, (60, DAY_S))
    levels = [Level(60, None, DAY_S + 120), HOUR, Level(DAY_S, None, None)]
    assert span.targets(DAY_S, levels) == [Target(60, DAY_S, DAY_S + 120)]
    assert span.targets(2 * DAY_S, levels) == []


def test_days_go_on_where_it_stopped() -> None:
    span = Range(DAY_S, 4 * DAY_S, (60,))
    known = [day * DAY_S for day in (0, 3, 1, 2, 4, 9)]
    assert span.days(known, Position(0)) == [DAY_S, 2 * DAY_S, 3 * DAY_S]
    assert span.days(known, Position(2 * DAY_S, 7)) == [2 * DAY_S, 3 * DAY_S]


def test_a_level_that_is_not_stored_is_refused_with_those_that_are() -> None:
    assert stored_levels([MINUTE, HOUR], None) == (60, 3_600)
    assert stored_levels([MINUTE, HOUR], 3_600) == (3_600,)
    with pytest.raises(PlumblineError, match=r"15m isn't stored → choose from 1m, 1h"):
        stored_levels([MINUTE, HOUR], 900)
    with pytest.raises(PlumblineError, match="nothing is stored yet"):
        stored_levels([Level(60, None, None)], None)
