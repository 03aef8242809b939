"""Stored statistics are compared with the readings that they were made of."""

from dataclasses import replace

import numpy as np
import pytest

from ops import comparison
from ops.comparison import Readings
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
    rows = {key: (row, summary) for key, row, summary in comparison.stored(partials)}
    groups = list(comparison.groups(readings, width_s))
    assert {group.key for group in groups} == set(rows)
    return [text for group in groups for text in comparison.differences(group, partials, *rows[group.key])]


@pytest.mark.parametrize("width_s", [60, 3600])
def test_statistics_of_the_readings_do_not_differ(width_s: int) -> None:
    readings = some_readings()
    assert all_differences(readings, rolled_up(readings, width_s), width_s) == []


@pytest.mark.parametrize("width_s", [60, 3600])
@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("count", "count is"),
        ("min", "min is"),
        ("max", "max is"),
        ("sum", "sum is"),
        ("summary", "percentiles are off"),
    ],
)
def test_any_column_that_is_off_is_named(column: str, problem: str, width_s: int) -> None:
    readings = some_readings()
    partials = rolled_up(readings, width_s)
    changed = getattr(partials, column) + 1
    found = all_differences(readings, replace(partials, **{column: changed}), width_s)
    assert len(found) == len(partials)
    assert all(text.startswith(problem) or problem in text for text in found)


def test_one_event_that_a_bucket_lacks_is_noticed() -> None:
    readings = some_readings()
    one_less = Readings(readings.device[1:], readings.metric[1:], readings.ts[1:], readings.value[1:])
    found = all_differences(readings, rolled_up(one_less, 3600), 3600)
    assert any(text.startswith("count is") for text in found)


def test_no_readings_make_no_groups() -> None:
    nothing = np.empty(0, np.int64)
    assert list(comparison.groups(Readings(nothing, nothing, nothing, np.empty(0)), 60)) == []


def test_readings_too_large_to_add_up_are_compared_by_what_a_double_holds() -> None:
    huge = Readings(np.array([1, 1]), np.array([1, 1]), np.array([0, 1]), np.array([1.5e308, 1.6e308]))
    assert all_differences(huge, rolled_up(huge, 60), 60) == []
