"""Timelines are in minutes where nothing else is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregation_service.windows import (
    Dirty,
    Level,
    Pace,
    Target,
    Window,
    due,
    next_window,
    repairs,
    resumed,
    unlogged,
)

M, H, D = 60, 3_600, 86_400


def level(width: int, watermark: int | None, until: int | None) -> Level:
    return Level(width, watermark, until)


def test_a_minute_that_closed_is_read_alone() -> None:
    levels = [level(M, D + 2 * M, D + M), level(H, D, D), level(D, D, D)]
    assert next_window(levels) == Window(D + M, D + 2 * M, (Target(M, D + M, D + 2 * M),))


def test_an_hour_that_closed_is_read_once_for_itself_and_its_last_minute() -> None:
    levels = [level(M, D + H, D + 59 * M), level(H, D + H, D), level(D, D, D)]
    assert next_window(levels) == Window(D, D + H, (Target(M, D + 59 * M, D + H), Target(H, D, D + H)))


def test_after_an_outage_it_goes_hour_by_hour() -> None:
    levels = [level(M, D + 3 * H + 20 * M, D + 10 * M), level(H, D + 3 * H, D)]
    first = next_window(levels)
    assert first == Window(D, D + H, (Target(M, D + 10 * M, D + H), Target(H, D, D + H)))
    last = next_window([level(M, D + 3 * H + 20 * M, D + 3 * H), level(H, D + 3 * H, D + 3 * H)])
    assert last == Window(D + 3 * H, D + 3 * H + 20 * M, (Target(M, D + 3 * H, D + 3 * H + 20 * M),))


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


def test_pace_starts_small_and_settles_on_the_readings_wanted() -> None:
    pace = Pace(1_000_000)
    first = pace.step(1_000)
    assert first == 16
    pace = pace.after(first, 1_000, first * 4_000)  # 4 readings a second
    assert pace.step(1_000) == 128  # at most eightfold
    pace = pace.after(128, 1_000, 128 * 4_000)
    assert pace.step(1_000) == 250
    assert pace.step(100_000) == 2
    assert pace.step(10_000_000) == 1
    assert pace.after(250, 1_000, 0).step(1_000) == 2_000  # nothing there: grow


def dirty(*entries: tuple[int, int]) -> Dirty:
    bucket, device = (np.array(column, np.int64) for column in zip(*entries, strict=True))
    n = len(entries)
    return Dirty(np.arange(n), bucket, device, np.ones(n, np.int64), np.ones(n, np.int64))


def test_late_entries_are_read_by_the_longest_stored_bucket_newest_first() -> None:
    levels = [level(M, 0, 3 * D + 2 * H), level(H, 0, 3 * D + H), level(D, 0, 3 * D)]
    found = repairs(
        levels, dirty((D + M, 1), (3 * D, 2), (D + 2 * H, 3), (3 * D + H, 4), (3 * D + H + M, 5), (3 * D + 2 * H, 6))
    )
    shown = [(r.start, r.end, [lv.width for lv in r.levels], r.entries.device.tolist()) for r in found]
    assert shown == [
        (3 * D + H + M, 3 * D + H + 2 * M, [M], [5]),
        (3 * D + H, 3 * D + H + M, [M], [4]),
        (3 * D, 3 * D + H, [M, H], [2]),
        (D, 2 * D, [M, H, D], [1, 3]),
    ]  # device 6's bucket isn't stored yet
    assert repairs(levels, dirty((4 * D, 1))) == []


def test_a_level_that_is_behind_is_left_out_of_a_repair() -> None:
    behind = level(15 * M, 0, D + H)
    [repair] = repairs([level(M, 0, 2 * D), behind, level(D, 0, 2 * D)], dirty((D + 30 * M, 1), (D + 2 * H, 2)))
    assert repair.stored(behind, repair.entries).device.tolist() == [1]
