"""Readings → the rows of every level, from one read."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aggregation_service.lateness import Dirty
from aggregation_service.windows import Target
from shared.statistics import Partials, rollup
from shared.statistics.keys import group
from shared.statistics.readings import Readings

Ids = npt.NDArray[np.int32]
_US = 1_000_000


def roll_targets(readings: Readings, targets: Sequence[Target]) -> dict[int, Partials]:
    """The rows of each target, by width."""
    if len(targets) > 1:
        readings = _in_order(readings, min(target.width for target in targets))
    device, metric, ts, value = readings
    rows = {}
    for target in targets:
        inside = (ts >= _moment(target.start)) & (ts < _moment(target.end))
        chosen = slice(None) if inside.all() else np.flatnonzero(inside)
        rows[target.width] = rollup(device[chosen], metric[chosen], starts(ts[chosen], target.width), value[chosen])
    return rows


def roll_dirty(readings: Readings, width: int, dirty: Dirty, layouts: dict[int, npt.NDArray[np.int32]]) -> Partials:
    """The rows of this width that dirty entries have readings in, and `late` counts those; no other metrics."""
    device, metric, ts, value = readings
    bucket = starts(ts, width)
    wanted = np.unique(_pairs(dirty.device, dirty.bucket - dirty.bucket % width))
    chosen = np.flatnonzero(np.isin(_pairs(device, bucket.view(np.int64) // _US), wanted))
    rows = rollup(device[chosen], metric[chosen], bucket[chosen], value[chosen])
    return _with_late(rows, width, dirty, layouts)


def starts(ts: npt.NDArray[np.datetime64], width: int) -> npt.NDArray[np.datetime64]:
    """The start of each moment's bucket."""
    us = ts.view(np.int64)
    found: npt.NDArray[np.datetime64] = (us - us % (width * _US)).view("datetime64[us]")
    return found


def _in_order(readings: Readings, width: int) -> Readings:
    """By series and time, so that no level has to sort again."""
    device, metric, ts, value = readings
    groups = group(device, metric, starts(ts, width))
    return groups.arrange(device), groups.arrange(metric), groups.arrange(ts), groups.arrange(value)


def _with_late(rows: Partials, width: int, dirty: Dirty, layouts: dict[int, npt.NDArray[np.int32]]) -> Partials:
    metrics = [layouts[layout] for layout in dirty.layout.tolist()]
    per_entry = np.array([len(ids) for ids in metrics], np.int64)
    late_metric = np.concatenate(metrics) if metrics else np.empty(0, np.int32)
    late_bucket = ((dirty.bucket - dirty.bucket % width) * _US).view("datetime64[us]")
    groups = group(
        np.concatenate([rows.device, np.repeat(dirty.device, per_entry).astype(np.int32)]),
        np.concatenate([rows.metric, late_metric]),
        np.concatenate([rows.bucket, np.repeat(late_bucket, per_entry)]),
    )
    if len(rows) == 0:
        return rows
    events = np.concatenate([np.zeros(len(rows), np.int64), np.repeat(dirty.events, per_entry)])
    late = np.add.reduceat(groups.arrange(events), groups.start)
    is_row = np.concatenate([np.ones(len(rows), np.int64), np.zeros(len(late_metric), np.int64)])
    # Groups are in the rows' order; an entry whose events are gone (retention) is a group without a row.
    counted = rows.with_late(late[np.add.reduceat(groups.arrange(is_row), groups.start) > 0])
    return counted.take(counted.late > 0)


def _pairs(device: npt.NDArray[np.generic], bucket: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Device and bucket start in one number: minutes since 1970 fit in 32 bits."""
    pairs: npt.NDArray[np.int64] = (device.astype(np.int64) << 32) + bucket // 60
    return pairs


def _moment(seconds: int) -> np.datetime64:
    return np.datetime64(seconds * _US, "us")
