"""Rows across devices are compared with the devices' rows."""

from dataclasses import replace

import numpy as np
import pytest

from ops.verify import comparison, fleet
from shared.statistics import Partials, merge, rollup


def rows(device: int, values: np.typing.NDArray[np.float64]) -> Partials:
    """One device's row of metric 1 at 0."""
    n = len(values)
    start = np.zeros(n, "datetime64[us]")
    return rollup(np.full(n, device, np.int32), np.ones(n, np.int32), start, values)


def across(devices: list[Partials]) -> Partials:
    return merge([replace(part, device=np.zeros(len(part), np.int32)) for part in devices])


def expected(devices: list[Partials]) -> tuple[float, ...]:
    merged = fleet.Merged()
    for part in devices:
        merged.add(part)
    return merged.rows()[1, 0]


DEVICES = [rows(n, np.random.default_rng(n).normal(1013, 2, 40 * n)) for n in range(1, 5)]


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_what_the_devices_say_is_what_the_fleet_says(scale: float) -> None:
    devices = [rows(n, np.random.default_rng(n).normal(0, scale, 50)) for n in range(1, 4)]
    (row,) = comparison.stored(across(devices)).values()
    assert fleet.differences(expected(devices), row) == []


@pytest.mark.parametrize(
    ("column", "by", "problem"),
    [
        ("count", 1, "count is"),
        ("late", 1, "late is"),
        ("min", 1e-9, "min is"),
        ("max", 1e-9, "max is"),
        ("sum", 1e-3, "sum is"),
        ("deviation", 1e-6, "stddev is"),
    ],
)
def test_any_column_that_is_off_is_named(column: str, by: float, problem: str) -> None:
    merged = across(DEVICES)
    (row,) = comparison.stored(replace(merged, **{column: getattr(merged, column) + by})).values()
    assert any(problem in text for text in fleet.differences(expected(DEVICES), row))


def test_no_rows_say_nothing() -> None:
    assert fleet.Merged().rows() == {}
