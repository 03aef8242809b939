"""Which rows a backfill writes."""

from dataclasses import replace

import numpy as np
import pytest

from ops.backfill.changes import Counts, changes
from shared.statistics import Partials, rollup
from shared.statistics.partials import empty


def rows(devices: int = 3) -> Partials:
    """Two metrics and five minutes of some devices, a hundred readings each."""
    n = devices * 2 * 5 * 100
    number = np.arange(n)
    bucket = (number // 100 % 5 * 60_000_000).astype("datetime64[us]")
    device = (1 + number // 1_000).astype(np.int32)
    metric = (1 + number // 500 % 2).astype(np.int32)
    return rollup(device, metric, bucket, np.random.default_rng(3).normal(0, 1, n))


def test_what_is_stored_as_it_should_be_is_not_written() -> None:
    fresh = rows()
    shuffled = fresh.take(np.random.default_rng(1).permutation(len(fresh)))
    settled, changed, counts = changes(fresh, shuffled.with_late(np.full(30, 7)), 60, set())
    assert (len(settled), len(changed), counts) == (30, 0, Counts(compared=30))


@pytest.mark.parametrize("column", ["count", "sum", "sum_error", "min", "max", "deviation", "rank_error"])
def test_a_row_with_any_number_off_is_written(column: str) -> None:
    fresh = rows()
    wrong = getattr(fresh, column).copy()
    wrong[17] += 1
    _, changed, counts = changes(fresh, replace(fresh, **{column: wrong}), 60, set())
    assert counts == Counts(compared=30, changed=1)
    assert (changed.device[0], changed.metric[0], changed.bucket[0]) == (
        fresh.device[17], fresh.metric[17], fresh.bucket[17]
    )  # fmt: skip
    assert getattr(changed, column)[0] == getattr(fresh, column)[17]


def test_a_row_with_another_summary_is_written() -> None:
    fresh = rows()
    summary = fresh.summary.copy()
    summary[fresh.summary_length[:20].sum() + 3] += 1e-9
    _, changed, _ = changes(fresh, replace(fresh, summary=summary), 60, set())
    assert len(changed) == 1
    assert changed.bucket[0] == fresh.bucket[20]


def test_a_row_that_is_missing_is_written_and_one_without_readings_kept() -> None:
    fresh = rows()
    _, changed, counts = changes(fresh.take(np.arange(1, 30)), fresh.take(np.arange(29)), 60, set())
    assert counts == Counts(compared=29, changed=1, kept=1)
    assert changed.device.tolist() == [3]


def test_rows_that_late_events_wait_for_are_left_alone() -> None:
    fresh = rows()
    settled, changed, counts = changes(fresh, empty(), 60, {(2, 120), (99, 0)})
    assert counts == Counts(compared=28, changed=28, waiting=2)
    assert len(settled) == len(changed) == 28
    _, _, counts = changes(empty(), fresh, 60, {(2, 120)})
    assert counts == Counts(kept=28)


def test_nothing_differs_from_nothing() -> None:
    assert changes(empty(), empty(), 60, set())[2] == Counts()
