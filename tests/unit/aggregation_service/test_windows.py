"""Timelines are in minutes where nothing else is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregation_service.windows import Level, Target, Window, due, next_window, resumed, unlogged

M, H, D = 60, 3_600, 86_400


def level(width: int, watermark: int | None, until: int | None) -> Level:
    return Level(width, watermark, until)


def test_a_minute_that_closed_is_read_alone() -> None:
    levels = [level(M, D + 2 * M, D + M), level(H, D, D), level(D, D, D)]
    assert next_window(levels) == Window(D + M, D + 2 * M, (Target(M, D + M, D + 2 * M),))


def test_at_midnight_the_shortest_bucket_comes_first() -> None:
    """All three levels' last buckets of the day close at once:

    minute  ......................|23:59|
    hour    ...............|23:00       |
    day     |00:00                      |
    """
    minute, hour, day = level(M, D, D - M), level(H, D, D - H), level(D, D, 0)
    assert next_window([minute, hour, day]) == Window(D - M, D, (Target(M, D - M, D),))
    assert next_window([level(M, D, D), hour, day]) == Window(D - H, D, (Target(H, D - H, D),))
    assert next_window([level(M, D, D), level(H, D, D), day]) == Window(0, D, (Target(D, 0, D),))


def test_history_is_read_once_for_all_levels() -> None:
    # from the first event, 08:13, on for two days and 15 hours
    levels = [level(M, 2 * D + 15 * H, 8 * H + 13 * M), level(H, 2 * D + 15 * H, 8 * H), level(D, 2 * D, 0)]
    targets = (Target(M, 8 * H + 13 * M, D), Target(H, 8 * H, D), Target(D, 0, D))
    assert next_window(levels) == Window(0, D, targets)
    levels = [level(M, 2 * D + 15 * H, D), level(H, 2 * D + 15 * H, D), level(D, 2 * D, D)]
    assert next_window(levels) == Window(D, 2 * D, tuple(Target(width, D, 2 * D) for width in (M, H, D)))


def test_after_an_outage_it_goes_hour_by_hour_and_the_rest_alone() -> None:
    levels = [level(M, D + 3 * H + 20 * M, D + 10 * M), level(H, D + 3 * H, D), level(D, D, D)]
    first = next_window(levels)
    assert first == Window(D, D + H, (Target(M, D + 10 * M, D + H), Target(H, D, D + H)))
    last = next_window([level(M, D + 3 * H + 20 * M, D + 3 * H), level(H, D + 3 * H, D + 3 * H)])
    assert last == Window(D + 3 * H, D + 3 * H + 20 * M, (Target(M, D + 3 * H, D + 3 * H + 20 * M),))


def test_an_outage_over_midnight_makes_up_for_hours_before_it_closes_the_day() -> None:
    levels = [level(M, D + 3 * H, D - 2 * H + 50 * M), level(H, D + 3 * H, D - 2 * H), level(D, D, 0)]
    assert next_window(levels) == Window(
        D - 2 * H, D - H, (Target(M, D - 2 * H + 50 * M, D - H), Target(H, D - 2 * H, D - H))
    )


def test_a_level_that_is_new_holds_up_none_that_was_there() -> None:
    new = level(15 * M, 90 * D + H, 0)
    old = [level(M, 90 * D + H, 90 * D + H - M), level(H, 90 * D + H, 90 * D), level(D, 90 * D, 89 * D)]
    assert next_window([old[0], new, *old[1:]]) == Window(
        90 * D + H - M, 90 * D + H, (Target(M, 90 * D + H - M, 90 * D + H),)
    )
    assert next_window([new, *old[1:]]) == Window(90 * D, 90 * D + H, (Target(H, 90 * D, 90 * D + H),))
    assert next_window([new, old[2]]) == Window(89 * D, 90 * D, (Target(D, 89 * D, 90 * D),))
    assert next_window([new]) == Window(0, H, (Target(15 * M, 0, H),))


def test_a_width_that_does_not_divide_the_hour_gets_whole_buckets() -> None:
    assert next_window([level(45 * M, D, 45 * M)]) == Window(45 * M, 90 * M, (Target(45 * M, 45 * M, 90 * M),))


def test_nothing_is_due_when_all_is_stored_or_nothing_is_closed() -> None:
    assert next_window([level(M, D, D), level(H, None, None)]) is None
    assert due([level(M, None, None), level(H, D, D)]) == []


@given(
    st.lists(st.sampled_from([M, 15 * M, H, 6 * H, D]), min_size=1, max_size=4, unique=True),
    st.integers(0, 3 * D),
    st.integers(0, 3 * D),
)
def test_windows_make_every_closed_bucket_once(widths: list[int], start: int, length: int) -> None:
    levels = {w: level(w, (start + length) // w * w, start // w * w) for w in widths}
    done: dict[int, list[Target]] = {w: [] for w in widths}
    for _ in range(200):
        window = next_window(list(levels.values()))
        if window is None:
            break
        for target in window.targets:
            assert window.start <= target.start < target.end <= window.end
            assert target.start % target.width == target.end % target.width == 0
            done[target.width].append(target)
            levels[target.width] = level(target.width, levels[target.width].watermark, target.end)
    assert due(list(levels.values())) == []
    for width, targets in done.items():
        edges = [start // width * width, *(target.end for target in targets)]
        assert [target.start for target in targets] == edges[:-1]
        assert edges[-1] == max((start + length) // width * width, start // width * width)


@pytest.mark.parametrize(
    ("until", "oldest", "expected"),
    [
        (None, None, 10 * D),  # no events at all: nothing to store
        (None, 3 * D, 3 * D),
        (5 * D, 3 * D, 5 * D),  # what is stored stays so
        (5 * D, 7 * D, 7 * D),
        (5 * D, 12 * D, 10 * D),  # never past the watermark
    ],
)
def test_a_level_resumes_where_events_begin(until: int | None, oldest: int | None, expected: int) -> None:
    assert resumed(level(H, 10 * D, until), oldest).until == expected


def test_late_entries_are_settled_only_where_no_level_stored_the_window() -> None:
    minute = Target(M, D + 10 * M, D + 11 * M)
    window = Window(D + 10 * M, D + 11 * M, (minute,))
    assert unlogged(window, [level(M, D + 11 * M, D + 10 * M), level(H, D, D)]) == minute
    # A finer level that is new: the hour is stored already, its entries must still be seen to.
    assert unlogged(window, [level(M, D + 11 * M, D + 10 * M), level(H, D + H, D + H)]) is None
    # Or stored a part of it.
    two = Window(D + 10 * M, D + 12 * M, (Target(M, D + 10 * M, D + 12 * M),))
    assert unlogged(two, [level(M, D + 12 * M, D + 10 * M), level(H, D + 11 * M, D + 11 * M)]) is None
    hour = Window(D, D + H, (Target(H, D, D + H),))
    assert unlogged(hour, [level(M, D + H, D + H), level(H, D + H, D)]) is None


def test_a_minute_inside_a_day_that_is_under_way_settles_no_late_entries() -> None:
    """The day's slice may have read the device before."""
    minute = Target(M, 2 * D - M, 2 * D)
    window, levels = Window(minute.start, minute.end, (minute,)), [level(M, 2 * D, 2 * D - M), level(D, 2 * D, D)]
    assert unlogged(window, levels, [Window(D, 2 * D, (Target(D, D, 2 * D),))]) is None
    assert unlogged(window, levels, [Window(0, D, (Target(D, 0, D),))]) == minute
