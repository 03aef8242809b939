"""Stored statistics against the readings that they were made of.

Deliberately not the code that made them: sums, deviations and percentiles are recomputed with plain numpy, and what a
stored row says is judged as its reader sees it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ops.statistics_store import Key
from shared.statistics import Partials, means, quantiles, stddevs, sums

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-12  # of the sum of magnitudes
DEVIATION_TOLERANCE = 1e-10  # of the standard deviation
RANK_TOLERANCE = 1e-11  # what rounding may move a position by, as a share of all readings
PERCENTILES = np.array([0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999])
_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Group:
    """The readings of a (device, metric, bucket), sorted."""

    key: Key
    values: Floats


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of n readings; `ts` in µs since 1970."""

    device: Ints
    metric: Ints
    ts: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """What a stored row tells its reader: null is None; `percentiles` and `rank_errors` are those of PERCENTILES."""

    count: int
    min: float
    max: float
    sum: float | None
    avg: float
    stddev: float | None
    late: int
    percentiles: Floats
    rank_errors: Floats


def groups(readings: Readings, width_s: int) -> Iterator[Group]:
    """The readings by bucket of this width, in the order of their keys."""
    bucket = readings.ts - readings.ts % (width_s * 1_000_000)
    order = np.lexsort((readings.value, bucket, readings.metric, readings.device))
    keys = np.stack([readings.device[order], readings.metric[order], bucket[order]])
    starts = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1 if keys.shape[1] else np.empty(0, np.int64)
    bounds = [0, *starts.tolist(), keys.shape[1]]
    value = readings.value[order]
    for start, end in pairwise(bounds):
        if start < end:
            device, metric, begin = keys[:, start].tolist()
            yield Group((device, metric, begin), value[start:end])


def stored(partials: Partials) -> Mapping[Key, Row]:
    """What each stored row says."""
    buckets = partials.bucket.astype("datetime64[us]").astype(np.int64)
    keys = zip(partials.device.tolist(), partials.metric.tolist(), buckets.tolist(), strict=True)
    columns = zip(
        partials.count.tolist(),
        partials.min.tolist(),
        partials.max.tolist(),
        map(_null, sums(partials).tolist()),
        means(partials).tolist(),
        map(_null, stddevs(partials).tolist()),
        partials.late.tolist(),
        *quantiles(partials, PERCENTILES),
        strict=True,
    )
    return {key: Row(*values) for key, values in zip(keys, columns, strict=True)}


def differences(values: Floats, row: Row) -> list[str]:
    """What a stored row says that its readings, sorted, don't."""
    found = []
    for name, told, true in (
        ("count", row.count, len(values)),
        ("min", row.min, values[0]),
        ("max", row.max, values[-1]),
    ):
        if told != true:
            found.append(f"{name} is {told}, the events say {true}")
    if row.late > row.count:
        found.append(f"late is {row.late}, more than the {row.count} that were counted")
    found += _moments(values, row)
    # Where readings are missing, percentiles are off as a matter of course.
    if not found and (wrong := _percentiles(values, row)):
        found.append(wrong)
    return found


def _moments(values: Floats, row: Row) -> Iterator[str]:
    """Sum, average and standard deviation, of numbers that are scaled so that nothing overflows."""
    largest = float(np.max(np.abs(values)))
    scale = float(np.ldexp(1.0, min(1_000, -int(np.frexp(largest)[1]))))
    scaled, n, tiny = values * scale, len(values), 2 * _SMALLEST * scale
    total, magnitude = float(np.sum(scaled)), float(np.sum(np.abs(scaled)))
    if row.sum is None:
        if abs(total) < (1 - TOLERANCE) * _LARGEST * scale:
            yield f"sum is null, the events say {total / scale}"
    elif not abs(row.sum * scale - total) <= TOLERANCE * magnitude:
        yield f"sum is {row.sum}, the events say {np.float64(total) / scale}"
    if not abs(row.avg * scale - total / n) <= TOLERANCE * magnitude / n + tiny:
        yield f"avg is {row.avg}, the events say {total / n / scale}"
    if n < 2:
        if row.stddev is not None:
            yield f"stddev is {row.stddev} of one reading"
        return
    apart = scaled - total / n
    # The second term takes out what the rounded mean is off by.
    true = float(np.sqrt(max(0.0, np.sum(apart * apart) - np.sum(apart) ** 2 / n) / (n - 1)))
    slack = DEVIATION_TOLERANCE * true + 4 * EPSILON * largest * scale + tiny
    if row.stddev is None:
        if true < (1 - slack) * _LARGEST * scale:
            yield f"stddev is null, the events say {true / scale}"
    elif not abs(row.stddev * scale - true) <= slack:
        yield f"stddev is {row.stddev}, the events say {true / scale}"


def _percentiles(values: Floats, row: Row) -> str | None:
    """Each answer x to p must lie where its rank error e says: cont(p − e) ≤ x ≤ cont(p + e)."""
    off = row.rank_errors + RANK_TOLERANCE
    low, high = (continuous(values, np.clip(PERCENTILES + sign * off, 0, 1)) for sign in (-1, 1))
    rounding = TOLERANCE * np.maximum(np.abs(low), np.abs(high)) + 2 * _SMALLEST
    with np.errstate(over="ignore"):
        wrong = ~((row.percentiles >= low - rounding) & (row.percentiles <= high + rounding))
    if not wrong.any():
        return None
    first = int(np.flatnonzero(wrong)[0])
    true = float(continuous(values, PERCENTILES[first : first + 1])[0])
    return (
        f"p{PERCENTILES[first] * 100:g} is {row.percentiles[first]}, the events say {true}: "
        f"farther off than the {row.rank_errors[first]:.3g} in rank that it admits"
    )


def continuous(values: Floats, fractions: Floats) -> Floats:
    """percentile_cont of sorted values."""
    at = fractions * (len(values) - 1)
    below = np.floor(at).astype(np.int64)
    part = at - below
    above = np.minimum(below + 1, len(values) - 1)
    mixed = values[below] * (1 - part) + values[above] * part
    return np.clip(mixed, values[below], values[above])


def _null(number: float) -> float | None:
    return None if math.isnan(number) else number
