import numpy as np

from aggregation_service.lateness import Dirty
from aggregation_service.rollup import roll_dirty, roll_targets
from aggregation_service.windows import Target
from shared.statistics import rollup
from shared.statistics.readings import Readings

M, H = 60, 3_600
LAYOUTS = {1: np.array([5, 6], np.int32), 2: np.array([6], np.int32), 3: np.array([], np.int32)}


def readings(*rows: tuple[int, int, float, float]) -> Readings:
    """(device, metric, second, value)"""
    device, metric, second, value = zip(*rows, strict=True)
    us = (np.array(second) * 1_000_000).astype(np.int64)
    return np.array(device, np.int32), np.array(metric, np.int32), us.view("datetime64[us]"), np.array(value)


def dirty(*rows: tuple[int, int, int, int]) -> Dirty:
    """(bucket, device, layout, events)"""
    bucket, device, layout, events = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Dirty(bucket, device, layout, events)


def test_each_target_gets_its_own_range_of_one_read() -> None:
    got = roll_targets(
        readings((2, 5, 3_599.9, 1.0), (1, 5, 0, 2.0), (1, 5, 3_540, 3.0), (1, 5, 3_539.999999, 4.0)),
        [Target(M, H - M, H), Target(H, 0, H)],
    )
    assert got[M].count.tolist() == [1, 1]
    assert got[M].max.tolist() == [3.0, 1.0]
    assert got[H].count.tolist() == [3, 1]
    [minute] = roll_targets(readings((1, 5, M, 1.0), (1, 5, 2 * M, 2.0)), [Target(M, M, 2 * M)]).values()
    assert minute.max.tolist() == [1.0]  # a range ends before its end


def test_levels_are_the_bytes_that_each_alone_would_be() -> None:
    generator = np.random.default_rng(4)
    n = 20_000
    ts = (generator.integers(0, 2 * H, n) * 1_000_000).view("datetime64[us]")
    device, metric = generator.integers(1, 4, n).astype(np.int32), generator.integers(1, 3, n).astype(np.int32)
    value = generator.lognormal(0, 3, n)
    got = roll_targets((device, metric, ts, value), [Target(M, 0, 2 * H), Target(H, 0, 2 * H)])
    alone = rollup(device, metric, ts.astype("datetime64[h]").astype("datetime64[us]"), value)
    assert got[H].summary.tobytes() == alone.summary.tobytes()
    assert got[H].sum_error.tobytes() == alone.sum_error.tobytes()
    assert got[H].deviation.tobytes() == alone.deviation.tobytes()


def test_only_dirty_buckets_of_dirty_devices_are_made_and_late_is_counted_by_metric() -> None:
    rows = readings((1, 5, 1, 1.0), (1, 6, 1, 2.0), (1, 6, 2, 3.0), (1, 5, 61, 4.0), (2, 5, 61, 5.0), (2, 5, 1, 6.0))
    entries = dirty((0, 1, 1, 2), (0, 1, 2, 1), (0, 1, 3, 9), (M, 2, 1, 4))
    minutes = roll_dirty(rows, M, entries, LAYOUTS)
    keys = list(
        zip(
            minutes.device.tolist(), minutes.metric.tolist(), minutes.bucket.astype(np.int64) // 60_000_000, strict=True
        )
    )
    assert keys == [(1, 5, 0), (1, 6, 0), (2, 5, 1)]
    assert minutes.late.tolist() == [2, 3, 4]
    hours = roll_dirty(rows, H, entries, LAYOUTS)
    assert (hours.count.tolist(), hours.late.tolist()) == ([2, 2, 2], [2, 3, 4])


def test_entries_whose_events_are_gone_make_no_row() -> None:
    rows = readings((1, 5, 1, 1.0))
    assert roll_dirty(rows, M, dirty((0, 1, 1, 1), (M, 1, 1, 1)), LAYOUTS).late.tolist() == [1]
    assert len(roll_dirty(rows, M, dirty((M, 1, 1, 1)), LAYOUTS)) == 0


def test_metrics_that_nothing_came_late_for_stay_as_they_are() -> None:
    rows = readings((1, 5, 1, 1.0), (1, 6, 1, 2.0), (1, 6, 61, 3.0))
    got = roll_dirty(rows, H, dirty((0, 1, 2, 1)), LAYOUTS)
    assert (got.metric.tolist(), got.count.tolist(), got.late.tolist()) == ([6], [2], [1])
