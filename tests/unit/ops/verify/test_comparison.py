"""Stored statistics are compared with the readings that they were made of."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ops.verify import comparison
from ops.verify.comparison import Readings
from shared.statistics import Partials, rollup

MINUTE = 60_000_000


def some_readings(count: int = 3_000) -> Readings:
    random = np.random.default_rng(7)
    return Readings(
        device=random.integers(1, 4, count),
        metric=random.integers(1, 3, count),
        ts=random.integers(0, 4 * MINUTE, count),
        value=random.normal(1013, 2, count),
    )


def rolled_up(readings: Readings, width_s: int) -> Partials:
    bucket = (readings.ts - readings.ts % (width_s * 1_000_000)).view("datetime64[us]")
    return rollup(readings.device.astype(np.int32), readings.metric.astype(np.int32), bucket, readings.value)


def all_differences(readings: Readings, partials: Partials, width_s: int) -> list[str]:
    rows = comparison.stored(partials)
    groups = list(comparison.groups(readings, width_s))
    assert {group.key for group in groups} == set(rows)
    return [text for group in groups for text in comparison.differences(group.values, rows[group.key])]


@pytest.mark.parametrize("width_s", [60, 3600])
def test_statistics_of_the_readings_do_not_differ(width_s: int) -> None:
    readings = some_readings()
    assert all_differences(readings, rolled_up(readings, width_s), width_s) == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([1.7e308, 1.7e308, -1.7e308])
@example([1.7976931348605183e308])
@example([5e-324, 0.0])
@example([5e-324, 1.5e-323])
@example([-1e-323, -1e-323, -5e-324])
@example([0.1] * 7)
@example([1e300, -1e300, 1.0])
def test_statistics_of_any_readings_do_not_differ(values: list[float]) -> None:
    n = len(values)
    readings = Readings(np.ones(n, np.int64), np.ones(n, np.int64), np.arange(n), np.array(values))
    assert all_differences(readings, rolled_up(readings, 60), 60) == []


@pytest.mark.parametrize("width_s", [60, 3600])
@pytest.mark.parametrize(
    ("column", "by", "problem"),
    [
        ("count", 1, "count is"),
        ("min", 1e-9, "min is"),
        ("max", 1e-9, "max is"),
        ("sum", 1e-6, "sum is"),
        ("deviation", 1e-8, "stddev is"),
        ("late", 10_000, "late is"),
        ("summary", 0.5, "in rank that it admits"),
    ],
)
def test_any_column_that_is_off_is_named(column: str, by: float, problem: str, width_s: int) -> None:
    readings = some_readings()
    partials = rolled_up(readings, width_s)
    changed = getattr(partials, column) + by
    rows = comparison.stored(replace(partials, **{column: changed}))
    for group in comparison.groups(readings, width_s):
        assert any(problem in text for text in comparison.differences(group.values, rows[group.key]))


def test_one_event_that_a_bucket_lacks_is_noticed() -> None:
    readings = some_readings()
    one_less = Readings(readings.device[1:], readings.metric[1:], readings.ts[1:], readings.value[1:])
    found = all_differences(readings, rolled_up(one_less, 3600), 3600)
    assert any(text.startswith("count is") for text in found)


def test_no_readings_make_no_groups() -> None:
    nothing = np.empty(0, np.int64)
    assert list(comparison.groups(Readings(nothing, nothing, nothing, np.empty(0)), 60)) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_percentiles_are_those_of_numpy(values: list[float], fraction: float) -> None:
    ordered = np.sort(np.array(values))
    ours = comparison.continuous(ordered, np.array([fraction]))[0]
    assert ours == pytest.approx(np.percentile(ordered, fraction * 100), rel=1e-9, abs=1e-9)
