"""Stored statistics against the readings that they were made of.

Deliberately not the code that made them: sums and bounds are numpy's own, and percentiles are checked as values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shared.statistics import Partials

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Key = tuple[int, int, int]  # device, metric, bucket in µs since 1970

SUM_TOLERANCE = 1e-12  # of the sum of magnitudes
PERCENTILES = np.array([0.01, 0.25, 0.5, 0.75, 0.9, 0.99])


@dataclass(frozen=True)
class Group:
    """The readings of a (device, metric, bucket), sorted."""

    key: Key
    values: Floats


@dataclass(frozen=True)
class Readings:
    """Columns of n readings; `ts` in µs since 1970."""

    device: Ints
    metric: Ints
    ts: Ints
    value: Floats


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


def stored(partials: Partials) -> Iterator[tuple[Key, int, Floats]]:
    """(key, row number, summary) of each stored row."""
    ends = np.cumsum(partials.summary_length)
    buckets = partials.bucket.astype("datetime64[us]").astype(np.int64)
    keys = zip(partials.device.tolist(), partials.metric.tolist(), buckets.tolist(), strict=True)
    for row, (key, length, end) in enumerate(zip(keys, partials.summary_length.tolist(), ends.tolist(), strict=True)):
        yield key, row, partials.summary[end - length : end]


def differences(group: Group, partials: Partials, row: int, summary: Floats) -> list[str]:
    """What a stored row says that its readings don't."""
    found = []
    for name, true in (("count", len(group.values)), ("min", group.values[0]), ("max", group.values[-1])):
        is_stored = getattr(partials, name)[row]
        if is_stored != true:
            found.append(f"{name} is {is_stored}, the events say {true}")
    with np.errstate(over="ignore"):
        total, magnitude = float(np.sum(group.values)), float(np.sum(np.abs(group.values)))
    is_stored = float(partials.sum[row])
    if np.isfinite(magnitude) and abs(is_stored - total) > SUM_TOLERANCE * magnitude:
        found.append(f"sum is {is_stored}, the events say {total}")
    if not found and not _percentiles_hold(group.values, summary, float(partials.rank_error[row])):
        found.append(f"the percentiles are off by more than the {partials.rank_error[row]:g} in rank that they admit")
    return found


def _percentiles_hold(values: Floats, summary: Floats, rank_error: float) -> bool:
    """A summary of all values must be these; of more, its answers must lie within its rank error."""
    if rank_error == 0:
        return np.array_equal(summary, values)
    answers = np.percentile(summary, PERCENTILES * 100)
    slack = rank_error + 1 / (len(summary) - 1)  # between two points of the grid
    low = np.percentile(values, np.clip(PERCENTILES - slack, 0, 1) * 100)
    high = np.percentile(values, np.clip(PERCENTILES + slack, 0, 1) * 100)
    rounding = 1e-9 * np.maximum(np.abs(low), np.abs(high))
    return bool(np.all((answers >= low - rounding) & (answers <= high + rounding)))
