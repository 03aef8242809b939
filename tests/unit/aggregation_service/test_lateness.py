"""Timelines are in minutes where nothing else is said."""

import numpy as np

from aggregation_service.lateness import Dirty, Waiting, repairs, spans
from aggregation_service.windows import Level, Target, Window

M, H, D = 60, 3_600, 86_400


def level(width: int, until: int | None) -> Level:
    return Level(width, 10 * D, until)


def waiting(*buckets: tuple[int, int]) -> Waiting:
    """(bucket, device)"""
    bucket, device = (np.array(column, np.int64) for column in zip(*buckets, strict=True))
    return Waiting(bucket, device)


def window(start: int, end: int) -> Window:
    return Window(start, end, (Target(end - start, start, end),))


def test_late_data_is_read_by_the_longest_stored_bucket_newest_first() -> None:
    levels = [level(M, 3 * D + 2 * H), level(H, 3 * D + H), level(D, 3 * D)]
    late = waiting((D + M, 1), (3 * D, 2), (D + 2 * H, 3), (3 * D + H, 4), (3 * D + H + M, 5), (3 * D + 2 * H, 6))
    found = repairs(levels, late, [])
    shown = [(r.start, r.end, [lv.width for lv in r.levels], r.devices.tolist()) for r in found]
    assert shown == [
        (3 * D + H + M, 3 * D + H + 2 * M, [M], [5]),
        (3 * D + H, 3 * D + H + M, [M], [4]),
        (3 * D, 3 * D + H, [M, H], [2]),
        (D, 2 * D, [M, H, D], [1, 3]),
    ]  # device 6's bucket isn't stored yet
    assert repairs(levels, waiting((4 * D, 1)), []) == []


def test_a_device_with_many_late_minutes_is_read_once() -> None:
    [repair] = repairs([level(M, 2 * D), level(D, 2 * D)], waiting(*[(D + n * M, 7) for n in range(400)]), [])
    assert repair.devices.tolist() == [7]


def test_a_level_that_is_behind_is_left_out_of_a_repair() -> None:
    behind = level(15 * M, D + H)
    one = np.ones(2, np.int64)
    entries = Dirty(np.array([D + 30 * M, D + 2 * H]), np.array([1, 2]), one, one)
    assert entries.before(behind).device.tolist() == [1]
    [repair] = repairs([level(M, 2 * D), behind, level(D, 2 * D)], waiting((D + 30 * M, 1), (D + 2 * H, 2)), [])
    assert repair.levels == (level(M, 2 * D), behind, level(D, 2 * D))


def test_late_data_within_a_window_that_is_under_way_waits() -> None:
    """What is stored ends at 3d 2h.

    a day of slices      |1d ........ 2d|
    an hour, inside it                         |3d .. 3d 1h|
    late data may be
    worked in      ......1d             2d.....3d          3d 1h .. 3d 2h
    """
    levels = [level(M, 3 * D + 2 * H), level(H, 3 * D), level(D, D)]
    under_way = [window(D, 2 * D), window(3 * D, 3 * D + H)]
    assert spans(levels, under_way) == [(3 * D + H, 3 * D + 2 * H), (2 * D, 3 * D), (None, D)]
    assert spans(levels, []) == [(None, 3 * D + 2 * H)]
    assert spans([level(M, None)], []) == []
    assert spans([level(M, D)], [window(D, 2 * D)]) == [(None, D)]
    # A level is new and behind: the day around its window is stored, and would be made again as a whole.
    assert (
        repairs([level(M, 3 * D), level(15 * M, D), level(D, 3 * D)], waiting((D + 5 * H, 1)), [window(D, D + H)]) == []
    )
