"""Stored statistics against a recomputation from raw events."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aggregation_service.rollup import roll_targets
from aggregation_service.store import Store
from aggregation_service.windows import Level, Target
from shared.statistics import Partials, ragged

_DAY_S = 86_400
_DEVICES = 64
_SHOWN = 20
_TOLERANCE = 1e-12

_SAME, _CLOSE = ("count", "min", "max", "rank_error"), ("sum", "m2")

Key = tuple[int, int, int, int]  # level, device id, metric id, bucket in epoch seconds


@dataclass(frozen=True, slots=True)
class Row:
    """What is compared of a row."""

    numbers: dict[str, float]
    summary: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What was compared, and the first of what differs: (level, device id, metric id, bucket, what)."""

    rows: int = 0
    skipped: int = 0  # late data came for them and is not worked in yet
    wrong: int = 0
    differences: list[tuple[int, int, int, int, str]] = field(default_factory=list)

    def plus(self, other: "Result") -> "Result":
        """Both."""
        return Result(
            self.rows + other.rows,
            self.skipped + other.skipped,
            self.wrong + other.wrong,
            (self.differences + other.differences)[:_SHOWN],
        )


def verify(conninfo: str, sample: int | None = None) -> Result:
    """Recomputes stored buckets from raw events: all, or those of `sample` randomly chosen days of some devices.

    Counts, min, max and percentiles must be the same to the byte, sums and variances to 1e-12. A role that may read
    `events`, `layouts`, `stats`, `dirty` and the levels is enough.

    Raises:
        psycopg.Error: the database can't be read.
    """
    store = Store(conninfo)
    try:
        pieces = list(_pieces(store))
        if sample is not None and sample < len(pieces):
            pieces = random.sample(pieces, sample)
        total = Result()
        for day, devices in pieces:
            total = total.plus(_verify(store, day, devices))
        return total
    finally:
        store.close()


def _pieces(store: Store) -> Iterator[tuple[int, range]]:
    """Days with events and ranges of devices that together cover everything."""
    day = store.first_day_with_events(None)
    last = store.last_device()
    while day is not None:
        yield from ((day, range(first, first + _DEVICES)) for first in range(1, last + 1, _DEVICES))
        day = store.first_day_with_events(day + _DAY_S)


def _verify(store: Store, day: int, devices: range) -> Result:
    """All levels' buckets of a day, for a range of devices, in one snapshot."""
    with store.snapshot():
        levels = [level for level in store.levels() if level.until is not None and level.until > day]
        targets = [Target(level.width, day, min(level.until or 0, day + _DAY_S)) for level in levels]
        end = max((target.end for target in targets), default=day)
        readings = store.readings_of_range(day, end, devices.start, devices.stop)
        expected = dict(_rows(roll_targets(readings, targets)))
        stored = {
            key: row
            for level in levels
            for key, row in _rows({level.width: store.statistics(level.width, day, end, devices.start, devices.stop)})
            if key[3] + level.width <= (level.until or 0)
        }
        dirty = store.dirty_pairs(devices.start, devices.stop)
    return _compare(expected, stored, _stale(levels, dirty))


def _rows(rows: Mapping[int, Partials]) -> Iterator[tuple[Key, Row]]:
    for width, partials in rows.items():
        start = ragged.starts(partials.summary_length)
        second = partials.bucket.astype(np.int64) // 1_000_000
        for row in range(len(partials)):
            key = (width, int(partials.device[row]), int(partials.metric[row]), int(second[row]))
            summary = partials.summary[start[row] : start[row] + partials.summary_length[row]]
            numbers = {name: float(getattr(partials, name)[row]) for name in (*_SAME, *_CLOSE)}
            yield key, Row(numbers, summary.tobytes())


def _stale(levels: Sequence[Level], dirty: Sequence[tuple[int, int]]) -> set[tuple[int, int, int]]:
    """(level, device, bucket) that late data waits for."""
    return {(level.width, device, level.floor(bucket)) for level in levels for device, bucket in dirty}


def _compare(expected: Mapping[Key, Row], stored: Mapping[Key, Row], stale: set[tuple[int, int, int]]) -> Result:
    keys = sorted(expected.keys() | stored.keys())
    judged = [key for key in keys if (key[0], key[1], key[3]) not in stale]
    wrong = [(*key, what) for key in judged if (what := _difference(expected.get(key), stored.get(key)))]
    return Result(len(judged), len(keys) - len(judged), len(wrong), wrong[:_SHOWN])


def _difference(expected: Row | None, stored: Row | None) -> str:
    """What is wrong with a stored row; empty: nothing."""
    if expected is None or stored is None:
        return "missing" if stored is None else "no such events"
    for name in _SAME:
        if expected.numbers[name] != stored.numbers[name]:
            return f"{name} is {stored.numbers[name]!r}, should be {expected.numbers[name]!r}"
    for name in _CLOSE:
        if not math.isclose(expected.numbers[name], stored.numbers[name], rel_tol=_TOLERANCE):
            return f"{name} is {stored.numbers[name]!r}, should be {expected.numbers[name]!r}"
    return "" if expected.summary == stored.summary else "its percentiles differ"
